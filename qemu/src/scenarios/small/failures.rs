//! What the machine does when PID 1 cannot launch: DOCKER_LAUNCH_ON_FAILURE, each way with its reason on the console.

use super::{
    builder::{Scenario, Step, small},
    endings::WITH_BUSYBOX,
};
use crate::checks::expect::{
    End,
    Expect::{self, *},
};

/// The reason stands first, whatever follows.
const REASON: &[&str] = &["dockerlaunch: ", "nosuchd", "ENOENT"];
const TOLD: &[Expect] = &[SaysTimes("reason", 1, REASON), CleanDisk];

/// The kernel's own setting decides, with the time it leaves to read.
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

/// It is a terminal: it has a name, it is the session's own, and ctrl-c ends what runs in the foreground and not the shell.
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
    // What is typed is shown, too, but without what the quotes are for. It is the foreground program that says so: ctrl-c
    // ends it whether it sleeps already or not.
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
        "the kernel's panic=N is the one who decides",
        &[PANICS],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=panic", "panic=3"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-poweroff",
        "a machine that cannot launch is off, and its disk clean",
        &[TOLD, &[Ends(End::PowerOff)]],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=poweroff"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-reboot",
        "the same, and it tries again",
        &[TOLD, &[Ends(End::Reboot)]],
    )
    .append(&["DOCKER_LAUNCH_ON_FAILURE=reboot"])
    .words(NOT_FOUND)
    .lived(&[]),
    small(
        "supervise-fails-shell",
        "whoever sits at the console can look what is wrong",
        &[SHELL, &[Ends(End::PowerOff)]],
    )
    .groups(WITH_BUSYBOX)
    .append(&["DOCKER_LAUNCH_ON_FAILURE=shell"])
    .words(NOT_FOUND)
    .lived(TYPED),
];
