//! Difficult ends: the power button before there is a daemon, swap, and a process that cannot be killed and uses the state disk.

use super::builder::{Change, Root, Scenario, Step, Suite, WITH_MODULES, small};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    disks::{Disk, Holds, Table},
    image::Format,
};

const PRESSED: &[Expect] = &[
    Told(&[]),
    SaysInOrder(
        "steps",
        &[
            &["dockerlaunch: waiting for LABEL=never, up to 10 s"],
            &[
                "dockerlaunch: state disk LABEL=never: given up: a signal or the power button asked for a shutdown",
            ],
            &["dockerlaunch: power button: power off"],
            &["dockerlaunch: / is read-only"],
            &["dockerlaunch: everything is written out"],
        ],
    ),
    CleanDisk,
    Ends(End::PowerOff),
];

const GIVEN_UP: &[Expect] = &[
    Told(&[]),
    SaysInOrder(
        "steps",
        &[
            &[
                "dockerlaunch: root LABEL=never: given up: a signal or the power button asked for a shutdown",
            ],
            &["dockerlaunch: power button: power off"],
        ],
    ),
    Ends(End::PowerOff),
];

const HELD: &[Expect] = &[
    SaysInOrder(
        "steps",
        &[
            &["dockerlaunch: SIGKILL to those still running"],
            &["dockerlaunch: swap off: /swap"],
            &["dockerlaunch: unmounted: "],
            &["dockerlaunch: warning: /var/lib/docker is in use; it is detached"],
            &["dockerlaunch: / is read-only"],
            &["dockerlaunch: everything is written out"],
            &["dockerlaunch: power off"],
        ],
    ),
    CleanDisk,
    Ends(End::PowerOff),
];
const FIRST: &[Expect] = &[Told(&["boot 1", "waits", "SIGTERM"])];
const SECOND: &[Expect] = &[Told(&["boot 2", "waits", "SIGTERM"])];

/// A process in a frozen cgroup (v1) handles no signal, not even KILL.
const HOLD: &[Change] = &[Change::File(
    "opt/hold",
    0o755,
    "#!/bin/sh
busybox dd if=/dev/zero of=/swap bs=1M count=16 2>/dev/null
busybox chmod 600 /swap
busybox mkswap /swap >/dev/null
busybox swapon /swap
busybox mkdir -p /run/freezer
mount -t cgroup -o freezer freezer /run/freezer
busybox mkdir -p /run/freezer/held
busybox sleep 3600 </var/lib/docker/boots &
echo $! >/run/freezer/held/cgroup.procs
echo FROZEN >/run/freezer/held/freezer.state
",
)];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "case-b4-button",
        "the power button while dockerlaunch waits for a disk: there is no daemon to end",
        &[PRESSED],
    )
    .groups(WITH_MODULES)
    .append(&[
        "DOCKER_LAUNCH_MODULES=virtio_blk",
        "DOCKER_LAUNCH_STATE=LABEL=never",
    ])
    .lived(&[
        Step::Console(&["dockerlaunch: waiting for LABEL=never"]),
        Step::PowerButton,
    ]),
    small(
        "case-b4-root",
        "the power button while the initramfs waits, without a limit, for its root",
        &[GIVEN_UP],
    )
    .on(Suite::Trixie, Root::Switch(Format::Disk, Table::None))
    .append(&[
        "DOCKER_LAUNCH_MODULES=virtio_blk,button",
        "root=LABEL=never",
        "rootwait",
    ])
    .lived(&[
        Step::Console(&["dockerlaunch: waiting for LABEL=never"]),
        Step::PowerButton,
    ]),
    small(
        "case-g9-held",
        "a process that cannot be killed uses the state disk: the disk is synced anyway, and swap is turned off",
        &[FIRST, HELD],
    )
    .groups(WITH_MODULES)
    .image(HOLD)
    .append(&[
        "DOCKER_LAUNCH_MODULES=virtio_blk",
        "DOCKER_LAUNCH_STATE=/dev/vda",
    ])
    .words(&["--probe=count:/var/lib/docker/boots,run:/opt/hold,signal:38,wait"])
    .disks(&[Disk::BLANK.holds(Holds::Ext4)])
    .lived(&[])
    .again(&[SECOND, HELD]),
];
