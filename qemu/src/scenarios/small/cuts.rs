//! The power is cut in the first seconds of a new machine. A file of dockerlaunch is then complete, or missing and written at the next
//! boot; none is empty.

use super::builder::{Scenario, Step, small};
use crate::checks::expect::{
    Content::{Has, MachineId},
    Expect::{self, *},
};

const WHOLE: &[Expect] = &[
    Says("ready", &["dockerlaunch: docker is ready, "]),
    File("/etc/passwd", "644", Has("root:x:0:0:root:/root:")),
    File("/etc/group", "644", Has("\ndocker:x:")),
    File("/etc/nsswitch.conf", "644", Has("hosts:")),
    File("/etc/hosts", "644", Has("127.0.0.1")),
    File("/etc/machine-id", "444", MachineId),
];

/// The files that dockerlaunch wrote before it started the daemon.
const WRITTEN: &[Expect] = &[OnDisk(&[
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/machine-id",
])];

const CUT: &[Step] = &[Step::Told("waits"), Step::Cut];

/// The daemon syncs a file of its own, so the journal commits: ext4 then has the names of dockerlaunch's files, but no content of a
/// file that was not synced. Without it the cut would have to come 5 to 30 s later.
const COUNTS: &[&str] = &["--probe=count:/var/lib/docker/boots,wait"];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "case-a4-cut",
        "the files of the first boot survive a power cut immediately after the journal's first commit",
        &[&[Told(&["boot 1", "waits"])], WRITTEN],
    )
    .words(COUNTS)
    .lived(CUT),
    small(
        "case-a4-power-cuts",
        "twenty power cuts in the first 15 s",
        &[WHOLE],
    )
    .words(&["--probe=ready,report,wait"])
    .lived(CUT)
    .cuts(&[
        300, 600, 900, 1200, 1600, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 5500, 6000, 7000, 8000,
        9000, 11_000, 13_000, 15_000,
    ])
    .long(),
];
