//! From the execution of PID 1 to the daemon's first instruction, in instructions, and PID 1's memory while it waits. The daemon
//! is a program of a few instructions; the modules are loaded before, because their signatures cost a hundred times more than
//! all the rest.

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    guest::console,
    kit::{DOCKERLAUNCH, Kit, LOADS, Launches, NO_CONTAINERD, ORIGINAL, SCRIPT, WITHIN},
    lines,
    row::Row,
};
use crate::host::progress::Step;

/// A row of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Launched {
    pub(crate) name: &'static str,
    pub(crate) instructions: u64,
    /// Of PID 1 and the children that it starts until then; which of them failed.
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Of the program's file.
    pub(crate) size: u64,
    /// In kB, of a PID 1 that stays.
    pub(crate) anonymous: Option<u64>,
    pub(crate) resident: Option<u64>,
}

/// A PID 1 that is measured.
struct Measured {
    /// Of its file in the guest.
    file: &'static str,
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [&'static str],
    /// Whether it waits beside the daemon.
    stays: bool,
}

#[rustfmt::skip]
const TABLE: &[Measured] = &[
    Measured { file: "floor", name: "the floor: the same calls, nothing else", arguments: &["/bench/floor", "/usr/sbin/dockerd"], environment: &[], stays: false },
    Measured { file: "none", name: "dockerlaunch, no features", arguments: &["/bench/dockerlaunch-none"], environment: &[], stays: false },
    Measured { file: "default", name: "dockerlaunch, REAP=false", arguments: &[DOCKERLAUNCH], environment: &["DOCKER_LAUNCH_REAP=false"], stays: false },
    Measured { file: "supervised", name: "dockerlaunch", arguments: &[DOCKERLAUNCH], environment: NO_CONTAINERD, stays: true },
    Measured { file: "script", name: "a busybox script", arguments: SCRIPT, environment: &[], stays: false },
    Measured { file: ORIGINAL, name: "the original, in Go", arguments: &["/bench/original", "/usr/sbin/dockerd"], environment: &[], stays: false },
    Measured { file: "tini", name: "tini-static (it only executes)", arguments: &["/bench/tini-static", "--", "/usr/sbin/dockerd"], environment: &[], stays: true },
    Measured { file: "catatonit", name: "catatonit (it only executes)", arguments: &["/bench/catatonit", "--", "/usr/sbin/dockerd"], environment: &[], stays: true },
];

/// Stays beside PID 1 and counts its system calls.
const COUNTS: &str = "; exec /bench/probe --probe=count-calls";
/// The same row with that.
const CALLS: &str = "-calls";

pub(crate) fn launches(wanted: &Launches) -> Result<Vec<Launched>> {
    let is_there = |row: &&Measured| row.file != ORIGINAL || wanted.original.is_some();
    let rows: Vec<&Measured> = TABLE.iter().filter(is_there).collect();
    let files = rows.iter().flat_map(|row| {
        [("", ""), (CALLS, COUNTS)].map(|(suffix, more)| {
            let file = Row {
                rests: true,
                beside: &["/usr/bin/busybox", "sh", "-c", &(LOADS.to_owned() + more)],
                arguments: row.arguments,
                environment: row.environment,
            };
            (row.file.to_owned() + suffix, file.bytes())
        })
    });
    let kit = Kit::new("launches", wanted, files.collect())?;
    rows.iter().map(|row| measured(&kit, row)).collect()
}

fn measured(kit: &Kit, row: &Measured) -> Result<Launched> {
    let step = Step::spinner(&format!("launch: {}", row.name));
    let first = console(&kit.guests, row.file, WITHIN, lines::ends)?;
    let second = row.file.to_owned() + CALLS;
    let second = console(&kit.guests, &second, WITHIN, lines::ends)?;
    let missing = |what| format!("{}: nothing says {what}", row.name);
    let launched = lines::numbers(&first, "launched").unwrap_or_default();
    let calls = lines::numbers(&second, "calls").unwrap_or_default();
    let memory = |name| lines::memory(&first, name).filter(|_| row.stays);
    let launched = Launched {
        name: row.name,
        instructions: *launched
            .first()
            .with_context(|| missing("when the daemon began"))?,
        calls: *calls
            .first()
            .with_context(|| missing("how many system calls it made"))?,
        failed: *calls
            .get(1)
            .with_context(|| missing("how many system calls failed"))?,
        size: kit.size(row.arguments[0]),
        anonymous: memory("Anonymous"),
        resident: memory("Rss"),
    };
    step.done(&format!(
        "launch: {}: {} instructions",
        row.name, launched.instructions
    ));
    Ok(launched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_files_of_their_own() {
        let mut files: Vec<&str> = TABLE.iter().map(|row| row.file).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), TABLE.len());
    }
}
