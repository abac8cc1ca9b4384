//! What the machine does when PID 1 cannot launch: each value of DOCKER_LAUNCH_ON_FAILURE, with the reason on the console.

use super::{
    builder::{Scenario, Step, small},
    endings::WITH_BUSYBOX,
};
use crate::checks::expect::{
    End,
    Expect::{self, *},
};

/// The reason is the first line.
const REASON: &[&str] = &["dockerlaunch: ", "nosuchd", "ENOENT"];
const TOLD: &[Expect] = &[SaysTimes("reason", 1, REASON), CleanDisk];

/// The kernel's own setting decides, and leaves time to read.
const PANICS: &[Expect] = &[
    SaysInOrder(
        "kernel's-turn",
        &[
            REASON,
            &[
                "Kernel panic - not syncing: Attempted to kill init!",
                "exitcode=0x00007f00",
            ],
            &["Rebooting in 3 seconds"],
        ],
    ),
    Ends(End::Panic),
];

/// The shell has a terminal: it has a name, it is the session's own, and ctrl-c ends the foreground program and not the shell.
const SHELL: &[Expect] = &[
    SaysInOrder(
        "answers",
        &[
            REASON,
            &["/dev/console"],
            &["the session's terminal"],
            &["sum 42"],
            &["after ctrl-c 2"],
        ],
    ),
    SaysTimes("reason", 1, REASON),
];

const TYPED: &[Step] = &[
    Step::Console(REASON),
    Step::Type("tty; echo \"the session's terminal\" > /dev/tty; echo sum $((6*7))\n"),
    Step::Console(&["sum 42"]),
    // The console also shows what is typed, but there the quotes split the word. The foreground program prints it, so ctrl-c ends
    // that program even if it does not sleep yet.
    Step::Type("sh -c \"echo be''gins; exec sleep 10000\"\n"),
    Step::Console(&["begins"]),
    Step::Type("\x03"),
    Step::Type("echo after ctrl-c $((1+1))\n"),
    Step::Console(&["after ctrl-c 2"]),
    Step::Type("poweroff -f\n"),
];

const NOT_FOUND: &[&str] = &["nosuchd"];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "supervise-fails-panic",
        "the kernel's panic=N decides",
        &[PANICS],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=panic", "panic=3"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-poweroff",
        "a machine that cannot launch powers off, and its disk is clean",
        &[TOLD, &[Ends(End::PowerOff)]],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=poweroff"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-reboot",
        "a machine that cannot launch reboots, and tries again",
        &[TOLD, &[Ends(End::Reboot)]],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=reboot"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-shell",
        "a shell on the console, to see what is wrong",
        &[SHELL, &[Ends(End::PowerOff)]],
    )
    .groups(WITH_BUSYBOX)
    .append(&["DOCKER_LAUNCH_ON_FAILURE=shell"])
    .words(NOT_FOUND)
    .lived(TYPED),
];
