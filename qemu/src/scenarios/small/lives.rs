//! Supervision: readiness, orphans, a daemon that ends by itself, one that ignores SIGTERM, and a daemon that is PID 1 itself.

use super::{
    builder::{Change, Scenario, Step, small},
    endings::{CTRL_ALT_DEL, WITH_BUSYBOX},
};
use crate::checks::expect::{
    End,
    Expect::{self, *},
};

/// One line, and one run of the program, although the daemon became ready three times.
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

/// The log says how the daemon ended and when it starts again, a little later each time.
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

/// One line reports the crash loop, and the machine can be rebooted while no daemon runs.
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

/// The daemon ignores SIGTERM. Of two other processes one obeys it and the other is killed; both have a file open on the disk.
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
            &["dockerlaunch: warning: dockerd has not ended in time: SIGKILL"],
            &["dockerlaunch: SIGTERM to all other processes, which have 5 s"],
            &["dockerlaunch: SIGKILL to those still running"],
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
            &["dockerlaunch: second request: dockerd has 5 s left"],
            &["dockerlaunch: warning: dockerd has not ended in time: SIGKILL"],
        ],
    ),
    CleanDisk,
    Ends(End::Reboot),
];

/// ctrl-alt-del sends SIGINT to PID 1, which is the daemon.
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
        "the program of DOCKER_LAUNCH_READY runs once, even if the daemon starts again",
        &[READY_ONCE, RESTARTED],
    )
    .groups(WITH_BUSYBOX)
    .image(READY_PROGRAM)
    .append(&["DOCKER_LAUNCH_READY=/opt/ready"])
    .words(&["--probe=ready,fail:2,signal:38,wait"])
    .lived(&[]),
    small(
        "supervise-crash-loop",
        "the line about a daemon that was killed names the signal; a crash loop is reported",
        &[CRASHED],
    )
    .words(&["--probe=abort:100"])
    .lived(&[Step::Console(&["crash loop"]), Step::Keys(CTRL_ALT_DEL)]),
    small(
        "supervise-on-exit",
        "the daemon's end powers the machine off",
        &[&[Ends(End::PowerOff), CleanDisk]],
    )
    .append(&["DOCKER_LAUNCH_ON_EXIT=poweroff"])
    .words(&["--probe=exit:3"])
    .lived(&[]),
    small(
        "supervise-orphans",
        "ten thousand orphans at one moment, for which the kernel sends one signal",
        &[ORPHANS],
    )
    .words(&["--probe=orphans:10000,signal:38,wait"])
    .lived(&[]),
    small(
        "supervise-hang",
        "a daemon that does not end, and the processes that it leaves",
        &[HANGS],
    )
    .append(&["DOCKER_LAUNCH_SHUTDOWN_TIMEOUT=3"])
    .words(&["--probe=leave:obeys,leave-deaf:ignores,signal:38,deaf:hangs"])
    .lived(&[]),
    small(
        "supervise-second-request",
        "a second request shortens the wait",
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
        "ctrl-alt-del ends a daemon that is PID 1 with a signal, instead of resetting the machine",
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
