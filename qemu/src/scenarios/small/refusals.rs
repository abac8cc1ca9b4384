//! Boots that must fail, each with one clear line and an exit status. The kernel's panic shows PID 1's wait status, whose second byte
//! is the exit status.

use super::builder::{Change, Group, NO_MODULES, Scenario, small};
use crate::checks::expect::Expect::{self, *};

const USAGE: Expect = Panic("exitcode=0x00000200");
const NOT_EXECUTABLE: Expect = Panic("exitcode=0x00007e00");
const NOT_FOUND: Expect = Panic("exitcode=0x00007f00");

const BAD_VALUE: &[Expect] = &[
    USAGE,
    SaysOnly(&[&[
        "dockerlaunch: ",
        "DOCKER_LAUNCH_CGROUP=v3",
        "auto, v2, v1, hybrid",
    ]]),
];
const BAD_ROLE: &[Expect] = &[
    USAGE,
    SaysOnly(&[&[
        "dockerlaunch: ",
        "DOCKER_LAUNCH_AS=nothing",
        "auto, machine, container",
    ]]),
];
const BAD_ADDRESS: &[Expect] = &[
    USAGE,
    SaysOnly(&[&["dockerlaunch: ", "DOCKER_LAUNCH_IP=10.0.2"]]),
];
const NOT_BUILT: &[Expect] = &[
    USAGE,
    SaysOnly(&[&[
        "dockerlaunch: ",
        "DOCKER_LAUNCH_STATE=/dev/vdb",
        "needs the Cargo feature `state`",
    ]]),
];
const UNKNOWN: &[Expect] = &[
    NOT_FOUND,
    SaysOnly(&[&["dockerlaunch: ", "nosuchd", "ENOENT"]]),
];
const PLAIN: &[Expect] = &[
    NOT_EXECUTABLE,
    SaysOnly(&[&["dockerlaunch: ", "/opt/plain", "EACCES"]]),
];
const TEXT: &[Expect] = &[
    NOT_EXECUTABLE,
    SaysOnly(&[NO_MODULES, &["dockerlaunch: ", "/opt/text", "ENOEXEC"]]),
];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small("bad-setting", "the allowed values are named", &[BAD_VALUE])
        .append(&["DOCKER_LAUNCH_CGROUP=v3"])
        .refused(),
    small(
        "bad-setting-bare",
        "the error is visible although the image has no folder /dev",
        &[BAD_ROLE],
    )
    .append(&["DOCKER_LAUNCH_AS=nothing"])
    .groups(&[Group::Program])
    .refused(),
    small(
        "bad-address",
        "the error names what is wrong with the address",
        &[BAD_ADDRESS],
    )
    .append(&["DOCKER_LAUNCH_IP=10.0.2"])
    .refused(),
    small(
        "not-built",
        "a setting that needs a missing Cargo feature is an error, never ignored",
        &[NOT_BUILT],
    )
    .append(&["DOCKER_LAUNCH_STATE=/dev/vdb"])
    .features(&[])
    .refused(),
    small(
        "unknown-daemon",
        "exit status 127, as a shell has it",
        &[UNKNOWN],
    )
    .words(&["nosuchd"])
    .refused(),
    small(
        "not-executable",
        "exit status 126, as a shell has it",
        &[PLAIN],
    )
    .image(&[Change::Probe("opt/plain", 0o644)])
    .words(&["/opt/plain"])
    .refused(),
    small(
        "not-a-program",
        "an executable file that is not a program",
        &[TEXT],
    )
    .image(&[Change::File("opt/text", 0o755, "text\n")])
    .words(&["/opt/text"])
    .refused(),
];
