//! A root without free space: the engine starts, so that its user can free some.

use super::builder::{Scenario, small};
use crate::checks::expect::{
    Content::Is,
    End,
    Expect::{self, Ends, File, SaysTimes, Told},
};

const ENDS: Expect = Ends(End::PowerOff);
const LIVES: Expect = Told(&["waits", "SIGTERM"]);
const SERVERS: Expect = File("/etc/resolv.conf", "644", Is("nameserver 10.0.2.3\n"));

const FULL: &[&str] = &[
    "warning: ",
    " is on a full file system; make room on the one mounted at /",
];
/// One file cannot be written, the same name servers need no write, and the data root is full.
const SECOND: &[Expect] = &[
    LIVES,
    ENDS,
    SERVERS,
    File("/etc/hosts", "644", Is("")),
    SaysTimes(
        "hosts",
        1,
        &["warning: layout /etc/hosts: no space left on device (ENOSPC)"],
    ),
    SaysTimes("network", 0, &["network"]),
    SaysTimes("full", 2, FULL),
];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[small(
    "case-c1",
    "the root has no free block, and a file of dockerlaunch is empty",
    &[&[LIVES, ENDS, SERVERS]],
)
.append(&["DOCKER_LAUNCH_DNS=10.0.2.3"])
.words(&["--probe=report,empty:/etc/hosts,fill:/full,signal:38,wait"])
.lived(&[])
.again(&[SECOND])];
