//! Life between the launch and the end: readiness, orphans, a daemon that ends by itself, one that does not end when it is told to,
//! and a daemon that is PID 1 itself.

use super::{
    builder::{Change, Scenario, Step, small},
    endings::{CTRL_ALT_DEL, WITH_BUSYBOX},
};
use crate::checks::expect::{
    End,
    Expect::{self, *},
};

/// Named once, and the program has run once, although the daemon became ready three times.
const READY_ONCE: &[Expect] = &[
    Told(&[
        "READY=1",
        "start 1",
        "the ready program",
        "READY=1",
        "start 2",
        "READY=1",
        "start 3",
        "waits",
        "SIGTERM",
    ]),
    SaysInOrder(
        "ready",
        &[&["dockerlaunch: docker is ready, ", " ms after kernel start"]],
    ),
    CleanDisk,
];

/// It is told how the daemon ended and when it starts again, a little later each time.
const RESTARTED: &[Expect] = &[
    SaysInOrder(
        "backoff",
        &[
            &["dockerlaunch: dockerd ended with status 3"],
            &["dockerlaunch: dockerd is started again in 1 s"],
            &["dockerlaunch: dockerd ended with status 3"],
            &["dockerlaunch: dockerd is started again in 2 s"],
        ],
    ),
    Ends(End::PowerOff),
];

/// One line names the loop, and the machine can be ended while no daemon runs.
const CRASHED: &[Expect] = &[
    SaysInOrder(
        "signal",
        &[
            &["dockerlaunch: dockerd was killed by SIGABRT, core dumped"],
            &["dockerlaunch: dockerd is started again in 8 s"],
            &["dockerlaunch: warning: crash loop: dockerd ", "status 134"],
        ],
    ),
    SaysTimes("loop", 1, &["crash loop"]),
    CleanDisk,
    Ends(End::Reboot),
];

const ORPHANS: &[Expect] = &[
    Told(&[
        "10000 orphans",
        "0 zombies, 0 processes more than before",
        "waits",
        "SIGTERM",
    ]),
    Ends(End::PowerOff),
];

/// The daemon does not listen; the rest is told to end, one does and the other is killed; both keep a file open on the disk.
const HANGS: &[Expect] = &[
    ToldTogether(&[
        "obeys waits",
        "ignores waits",
        "hangs waits",
        "hangs SIGTERM",
        "obeys SIGTERM",
        "ignores SIGTERM",
    ]),
    SaysInOrder(
        "steps",
        &[
            &["dockerlaunch: signal 38: power off"],
            &["dockerlaunch: SIGTERM to dockerd, which has 3 s"],
            &["dockerlaunch: warning: dockerd has not ended in its time: SIGKILL"],
            &["dockerlaunch: SIGTERM to all other processes, which have 5 s"],
            &["dockerlaunch: SIGKILL to those that are left"],
            &["dockerlaunch: unmounted: "],
            &["dockerlaunch: / is read-only"],
            &["dockerlaunch: everything is written out"],
            &["dockerlaunch: power off"],
        ],
    ),
    CleanDisk,
    Ends(End::PowerOff),
];

const IMPATIENT: &[Expect] = &[
    SaysInOrder(
        "steps",
        &[
            &["dockerlaunch: SIGINT: reboot"],
            &["dockerlaunch: SIGTERM to dockerd, which has 3600 s"],
            &["dockerlaunch: asked again: dockerd has 5 s left"],
            &["dockerlaunch: warning: dockerd has not ended in its time: SIGKILL"],
        ],
    ),
    CleanDisk,
    Ends(End::Reboot),
];

/// ctrl-alt-del is PID 1's to answer, and that is the daemon.
const REAP_FALSE: &[Expect] = &[
    Process("pid", "1"),
    Process("others", ""),
    Process("blocked", "0000000000000000"),
    Environment(&[
        "HOME=/root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM=linux",
    ]),
    Kernel("/proc/sys/kernel/ctrl-alt-del", "0"),
    Told(&["waits", "SIGINT"]),
    Panic("exitcode=0x00000000"),
];

const COMPILED_OUT: &[Expect] = &[
    Process("pid", "1"),
    Process("blocked", "0000000000000000"),
    Arguments(&["dockerd"]),
];

const READY_PROGRAM: &[Change] = &[Change::File(
    "opt/ready",
    0o755,
    "#!/bin/sh\nexec /usr/sbin/dockerd '--probe=say:the ready program'\n",
)];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "supervise-ready",
        "the program of DOCKER_LAUNCH_READY runs once, however often the daemon starts",
        &[READY_ONCE, RESTARTED],
    )
    .groups(WITH_BUSYBOX)
    .image(READY_PROGRAM)
    .append(&["DOCKER_LAUNCH_READY=/opt/ready"])
    .words(&["--probe=ready,fail:2,signal:38,wait"])
    .lived(&[]),
    small(
        "supervise-crash-loop",
        "a daemon that dies of a signal is named with it, and one that dies again and again as such",
        &[CRASHED],
    )
    .words(&["--probe=abort:100"])
    .lived(&[
        Step::Console(&["crash loop"]),
        Step::Keys(CTRL_ALT_DEL),
    ]),
    small(
        "supervise-on-exit",
        "a daemon whose end ends the machine",
        &[&[Ends(End::PowerOff), CleanDisk]],
    )
    .append(&["DOCKER_LAUNCH_ON_EXIT=poweroff"])
    .words(&["--probe=exit:3"])
    .lived(&[]),
    small(
        "supervise-orphans",
        "ten thousand at one moment, of which the kernel tells once",
        &[ORPHANS],
    )
    .words(&["--probe=orphans:10000,signal:38,wait"])
    .lived(&[]),
    small(
        "supervise-hang",
        "a daemon that does not end, and what it leaves behind",
        &[HANGS],
    )
    .append(&["DOCKER_LAUNCH_SHUTDOWN_TIMEOUT=3"])
    .words(&["--probe=leave:obeys,leave-deaf:ignores,signal:38,deaf:hangs"])
    .lived(&[]),
    small(
        "supervise-second-request",
        "who asks again does not want to wait",
        &[IMPATIENT],
    )
    .append(&["DOCKER_LAUNCH_SHUTDOWN_TIMEOUT=3600"])
    .words(&["--probe=deaf:hangs"])
    .lived(&[
        Step::Told("hangs waits"),
        Step::Keys(CTRL_ALT_DEL),
        Step::Told("hangs SIGTERM"),
        Step::Keys(CTRL_ALT_DEL),
    ]),
    small(
        "supervise-reap-false",
        "a daemon that is PID 1 is asked by ctrl-alt-del, too, instead of being cut off",
        &[REAP_FALSE],
    )
    .append(&["DOCKER_LAUNCH_REAP=false"])
    .words(&["--probe=report,wait"])
    .lived(&[Step::Told("waits"), Step::Keys(CTRL_ALT_DEL)]),
    small(
        "supervise-compiled-out",
        "without the feature the daemon is PID 1",
        &[COMPILED_OUT],
    )
    .features(&[]),
];
