//! From the execution of PID 1 to the daemon's first instruction, in instructions, and PID 1's memory while it waits. The daemon
//! is a program of a few instructions; the modules are loaded before, because their signatures cost a hundred times more than
//! all the rest.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    guest::{self, Counted, bytes, console, in_memory, program},
    lines,
    row::Row,
};
use crate::{
    host::progress::Step,
    image::{self, Entry, Format, Group, Image},
    packages::suites::Suite,
    program::{self as programs, Features},
};

/// What the table needs.
pub(crate) struct Launches<'l> {
    pub(crate) suite: Suite,
    pub(crate) mirror: &'l str,
    /// The binary of Docker's original, which is written in Go.
    pub(crate) original: Option<PathBuf>,
    pub(crate) verbose: bool,
}

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

const DOCKERLAUNCH: &str = "/bench/dockerlaunch";
const ORIGINAL: &str = "original";

#[rustfmt::skip]
const TABLE: &[Measured] = &[
    Measured { file: "floor", name: "the floor: the same calls, nothing else", arguments: &["/bench/floor", "/usr/sbin/dockerd"], environment: &[], stays: false },
    Measured { file: "none", name: "dockerlaunch, no features", arguments: &["/bench/dockerlaunch-none"], environment: &[], stays: false },
    Measured { file: "default", name: "dockerlaunch, REAP=false", arguments: &[DOCKERLAUNCH], environment: &["DOCKER_LAUNCH_REAP=false"], stays: false },
    Measured { file: "supervised", name: "dockerlaunch", arguments: &[DOCKERLAUNCH], environment: &[], stays: true },
    Measured { file: "script", name: "a busybox script", arguments: &["/bench/init", "dockerd"], environment: &[], stays: false },
    Measured { file: ORIGINAL, name: "the original, in Go", arguments: &["/bench/original", "/usr/sbin/dockerd"], environment: &[], stays: false },
    Measured { file: "tini", name: "tini-static (it only executes)", arguments: &["/bench/tini-static", "--", "/usr/sbin/dockerd"], environment: &[], stays: true },
    Measured { file: "catatonit", name: "catatonit (it only executes)", arguments: &["/bench/catatonit", "--", "/usr/sbin/dockerd"], environment: &[], stays: true },
];

const GROUPS: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Xz,
    Group::Modules,
];

/// Programs, and a certificate.
const STUB: &str = "-----BEGIN CERTIFICATE-----\n";
/// dockerlaunch looks for what Docker needs, and these stand for it.
const STUBS: &[&str] = &[
    "usr/bin/containerd",
    "usr/bin/containerd-shim-runc-v2",
    "usr/sbin/runc",
    "usr/sbin/docker-proxy",
    "usr/bin/docker-init",
    "usr/sbin/iptables",
    "usr/sbin/iptables-save",
    "usr/sbin/iptables-restore",
    "usr/sbin/ip6tables",
    "usr/sbin/ip6tables-save",
    "usr/sbin/ip6tables-restore",
    "usr/sbin/apparmor_parser",
    "usr/bin/git",
    "usr/lib/git-core/git-submodule",
    "usr/lib/git-core/git-remote-http",
    "usr/bin/ssh",
    "usr/etc/ssl/certs/ca-certificates.crt",
];

/// Loads the modules as a shell beside PID 1, and leaves nothing else behind.
const LOADS: &str = "/usr/bin/busybox mount -t proc proc /proc; ln -s usr/lib /lib; \
    modprobe -a overlay bridge br_netfilter veth nf_nat nf_tables button xt_addrtype xt_conntrack xt_MASQUERADE; \
    rm /lib; umount /proc";
/// Stays beside PID 1 and counts its system calls.
const COUNTS: &str = "; exec /bench/probe --probe=count-calls";
/// The same row with that.
const CALLS: &str = "-calls";

/// MiB.
const MEMORY: u32 = 1024;
/// A minute on a machine that does nothing else takes 20 s.
const WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn launches(wanted: &Launches) -> Result<Vec<Launched>> {
    let packages = wanted.suite.unpacked(wanted.mirror)?;
    let inits = wanted.suite.inits(wanted.mirror)?;
    let none = programs::built(&Features::Only(Vec::new()), wanted.mirror)?;
    let default = programs::built(&Features::Default, wanted.mirror)?;
    let [start, daemon, floor] = programs::stopwatch(["start", "daemon", "floor"], wanted.mirror)?;
    let probe = programs::probe()?;
    let mut extra = vec![
        program("probe", &probe)?,
        program("start", &start)?,
        program("floor", &floor)?,
        program("dockerlaunch-none", &none)?,
        program("dockerlaunch", &default)?,
        program("tini-static", &inits.root.join("usr/bin/tini-static"))?,
        program("catatonit", &inits.root.join("usr/bin/catatonit"))?,
        bytes("bench/init", 0o755, include_str!("init.sh")),
        (
            "usr/sbin/dockerd".to_owned(),
            Entry::file(Group::Extra, daemon)?,
        ),
    ];
    if let Some(original) = &wanted.original {
        extra.push(program(ORIGINAL, original)?);
    }
    extra.extend(STUBS.iter().map(|path| bytes(path, 0o755, STUB)));
    let rows = || {
        TABLE
            .iter()
            .filter(|row| row.file != ORIGINAL || wanted.original.is_some())
    };
    for (row, (suffix, more)) in
        rows().flat_map(|row| [("", ""), (CALLS, COUNTS)].map(|kind| (row, kind)))
    {
        let file = Row {
            rests: true,
            beside: &["/usr/bin/busybox", "sh", "-c", &(LOADS.to_owned() + more)],
            arguments: row.arguments,
            environment: row.environment,
        };
        let path = format!("bench/rows/{}{suffix}", row.file);
        extra.push(bytes(&path, 0o644, file.bytes()));
    }
    let sizes: BTreeMap<String, u64> = extra
        .iter()
        .map(|(path, entry)| Ok((path.clone(), entry.size()?)))
        .collect::<Result<_>>()?;
    let image = Image {
        name: format!("bench-launches-{}", wanted.suite.name()),
        packages: &packages,
        more: Some(&inits),
        program: &default,
        groups: GROUPS,
        extra,
        format: Format::Initramfs,
    };
    let image = in_memory(&image.built()?)?;
    let counted = Counted {
        kernel: image::kernel(&packages)?,
        memory: MEMORY + guest::mebibytes(&image)?,
        image,
        verbose: wanted.verbose,
    };
    let size = |row: &Measured| {
        let path = row.arguments[0].trim_start_matches('/');
        sizes.get(path).copied().unwrap_or_default()
    };
    rows()
        .map(|row| measured(&counted, row, size(row)))
        .collect()
}

fn measured(counted: &Counted, row: &Measured, size: u64) -> Result<Launched> {
    let step = Step::spinner(&format!("launch: {}", row.name));
    let first = console(counted, row.file, WITHIN, lines::ends)?;
    let second = console(counted, &(row.file.to_owned() + CALLS), WITHIN, lines::ends)?;
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
        size,
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
