//! How the instructions of dockerlaunch's launch grow with what it finds: files of /usr/etc, and mounts.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    guest::console,
    kit::{DOCKERLAUNCH, Kit, LOADS, Launches, NO_CONTAINERD, WITHIN},
    lines,
    row::Row,
};
use crate::host::progress::Step;

/// Launches with more and more of one thing.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    pub(crate) what: &'static str,
    /// How many there were, and the instructions of the launch.
    pub(crate) points: Vec<(u32, u64)>,
}

/// What there is more of, the name of its guests, and the shell's command that makes number $i of it.
const THINGS: &[(&str, &str, &str)] = &[
    ("files of /usr/etc", "files", "echo $i > /usr/etc/more/$i"),
    (
        "mounts",
        "mounts",
        "mkdir /usr/more/$i; mount -t tmpfs none /usr/more/$i",
    ),
];
/// Beside none, which is the same guest for all things.
const COUNTS: &[u32] = &[250, 500];
const NONE: &str = "growth-none";

pub(crate) fn growth(wanted: &Launches) -> Result<Vec<Growth>> {
    let file = |name: &str, count| format!("growth-{name}-{count}");
    let mut rows = vec![(NONE.to_owned(), row(":", 0))];
    for (_, name, make) in THINGS {
        rows.extend(
            COUNTS
                .iter()
                .map(|count| (file(name, count), row(make, *count))),
        );
    }
    let kit = Kit::new("growth", wanted, rows)?;
    let none = launched(&kit, NONE, "nothing more")?;
    let mut all = Vec::new();
    for (what, name, _) in THINGS {
        let mut points = vec![(0, none)];
        for count in COUNTS {
            let instructions = launched(&kit, &file(name, count), &format!("{count} {what}"))?;
            points.push((*count, instructions));
        }
        all.push(Growth { what, points });
    }
    Ok(all)
}

/// The row's file.
fn row(make: &str, count: u32) -> Vec<u8> {
    let more = format!(
        "mkdir -p /usr/etc/more /usr/more; i=0; while [ $i -lt {count} ]; do {make}; i=$((i+1)); done; rm /lib"
    );
    let beside = LOADS.replace("rm /lib", &more);
    let row = Row {
        rests: true,
        beside: &["/usr/bin/busybox", "sh", "-c", &beside],
        arguments: &[DOCKERLAUNCH],
        environment: NO_CONTAINERD,
    };
    row.bytes()
}

fn launched(kit: &Kit, row: &str, what: &str) -> Result<u64> {
    let step = Step::spinner(&format!("growth: {what}"));
    let console = console(&kit.guests, row, WITHIN, lines::ends)?;
    let launched = lines::numbers(&console, "launched").unwrap_or_default();
    let launched = launched
        .first()
        .with_context(|| format!("{what}: no daemon began"))?;
    step.done(&format!("growth: {what}: {launched} instructions"));
    Ok(*launched)
}

impl Growth {
    /// Instructions for one more, over all points.
    pub(crate) fn each(&self) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let more = f64::from(last.0.checked_sub(first.0).filter(|more| *more > 0)?);
        Some((last.1 as f64 - first.1 as f64) / more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_costs_the_mean_of_all() {
        let growth = |points: &[(u32, u64)]| Growth {
            what: "files",
            points: points.to_vec(),
        };
        assert_eq!(growth(&[(0, 100), (5, 120), (10, 200)]).each(), Some(10.0));
        assert_eq!(growth(&[(0, 100)]).each(), None);
        assert_eq!(growth(&[]).each(), None);
    }

    #[test]
    fn things_are_made_before_the_shell_cleans_up() {
        let row = String::from_utf8(row("make it", 7)).unwrap();
        let (make, clean) = (
            row.find("-lt 7 ]; do make it").unwrap(),
            row.find("rm /lib").unwrap(),
        );
        assert!(make < clean && row.matches("rm /lib").count() == 1);
    }
}
