//! How the instructions of a launch grow with what it finds: files of /usr/etc, and mounts.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    guest::console,
    kit::{DOCKERLAUNCH, Kit, LOADS, Launches, SCRIPT, WITHIN},
    lines,
    row::Row,
};
use crate::host::progress::Step;

/// The launches with more and more of one thing.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    pub(crate) what: &'static str,
    pub(crate) name: &'static str,
    /// How many there were, and the instructions of the launch.
    pub(crate) points: Vec<(u32, u64)>,
}

/// What there is more of, and the shell's command that makes number $i of it.
const THINGS: &[(&str, &str)] = &[
    ("files of /usr/etc", "echo $i > /usr/etc/more/$i"),
    (
        "mounts",
        "mkdir /usr/more/$i; mount -t tmpfs none /usr/more/$i",
    ),
];
const COUNTS: &[u32] = &[0, 250, 500];
const PROGRAMS: &[(&str, &[&str])] = &[
    ("dockerlaunch", &[DOCKERLAUNCH]),
    ("a busybox script", SCRIPT),
];

pub(crate) fn growth(wanted: &Launches) -> Result<Vec<Growth>> {
    let mut files = Vec::new();
    for (place, _, (_, arguments), count) in cases() {
        let (_, make) = THINGS[place];
        let more = format!(
            "mkdir -p /usr/etc/more /usr/more; i=0; while [ $i -lt {count} ]; do {make}; i=$((i+1)); done"
        );
        let row = Row {
            rests: true,
            beside: &[
                "/usr/bin/busybox",
                "sh",
                "-c",
                &LOADS.replace("rm /lib", &format!("{more}; rm /lib")),
            ],
            arguments,
            environment: &[],
        };
        files.push((file(place, arguments, count), row.bytes()));
    }
    let kit = Kit::new("growth", wanted, files)?;
    let mut all: Vec<Growth> = Vec::new();
    for (place, what, (name, arguments), count) in cases() {
        let step = Step::spinner(&format!("growth: {name}: {count} {what}"));
        let lines = console(
            &kit.counted,
            &file(place, arguments, count),
            WITHIN,
            lines::ends,
        )?;
        let launched = lines::numbers(&lines, "launched").unwrap_or_default();
        let launched = *launched
            .first()
            .with_context(|| format!("{name}, {count} {what}: no daemon"))?;
        step.done(&format!(
            "growth: {name}: {count} {what}: {launched} instructions"
        ));
        match all
            .last_mut()
            .filter(|last| last.what == what && last.name == name)
        {
            Some(last) => last.points.push((count, launched)),
            None => all.push(Growth {
                what,
                name,
                points: vec![(count, launched)],
            }),
        }
    }
    Ok(all)
}

type Case = (
    usize,
    &'static str,
    (&'static str, &'static [&'static str]),
    u32,
);

/// By thing, then by program, then by count.
fn cases() -> impl Iterator<Item = Case> {
    let things = THINGS.iter().enumerate();
    things.flat_map(|(place, (what, _))| {
        PROGRAMS.iter().flat_map(move |program| {
            COUNTS
                .iter()
                .map(move |count| (place, *what, *program, *count))
        })
    })
}

fn file(place: usize, arguments: &[&str], count: u32) -> String {
    let program = arguments[0].rsplit('/').next().unwrap_or_default();
    format!("growth-{place}-{program}-{count}")
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
            name: "a",
            points: points.to_vec(),
        };
        assert_eq!(growth(&[(0, 100), (5, 120), (10, 200)]).each(), Some(10.0));
        assert_eq!(growth(&[(0, 100)]).each(), None);
        assert_eq!(growth(&[]).each(), None);
    }

    #[test]
    fn cases_have_files_of_their_own() {
        let mut files: Vec<String> = cases()
            .map(|(place, _, (_, arguments), count)| file(place, arguments, count))
            .collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), THINGS.len() * PROGRAMS.len() * COUNTS.len());
    }
}
