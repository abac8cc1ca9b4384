//! Guests with a real engine. By default one of each suite and the pairs that tell something new; the rest with --long.

mod appliances;
mod nested;

use super::{Change, Large, Life, Root, Scenario, Size, When};
use crate::{
    boot,
    checks::{
        engine::{
            COMMON, EXECUTED, IPV6, LEFT, LIMITS, MISSING_CONTROLLERS, QUIET, Row, SUPERVISED,
        },
        expect::{
            End,
            Expect::{self, *},
        },
    },
    disks::Disk,
    image::table::Group,
    suites::Suite,
};

const FULL: &[&[Row]] = &[QUIET, COMMON, EXECUTED, LIMITS, LEFT];
/// Without memory and cpuset, which the kernels of trixie and sid no longer have in version 1.
const REDUCED: &[&[Row]] = &[COMMON, EXECUTED, MISSING_CONTROLLERS, LEFT];

/// The power button was pressed while a container ran.
const OFF: &[Expect] = &[Ends(End::PowerOff)];
const CLEAN: &[Expect] = &[CleanDisk];
pub(super) const ON_DISK: &[&[Expect]] = &[OFF, CLEAN];

pub(super) const fn large(
    name: &'static str,
    why: &'static str,
    suite: Suite,
    root: Root,
    append: &'static [&'static str],
    large: Large,
) -> Scenario {
    Scenario {
        name,
        why,
        suite,
        root,
        append,
        words: &[],
        features: None,
        size: Size::Large(large),
        when: When::Default,
    }
}

pub(super) const fn long(scenario: Scenario) -> Scenario {
    Scenario {
        when: When::Long,
        ..scenario
    }
}

const AUTO: &[&str] = &[];
const V1: &[&str] = &["DOCKER_LAUNCH_CGROUP=v1"];
const HYBRID: &[&str] = &["DOCKER_LAUNCH_CGROUP=hybrid"];

/// The limits of a container hold.
pub(super) const TWO: Large = Large {
    cgroup: "2",
    groups: Group::ALL,
    image: &[],
    address: &[boot::ADDRESS, boot::DRIVER],
    disks: &[],
    checks: FULL,
    end: ON_DISK,
    prerequisites: false,
    clients: false,
    inner: &[],
    kills: 0,
    lives: &[],
};
/// An initramfs has no disk to be clean.
const TWO_IN_MEMORY: Large = Large { end: &[OFF], ..TWO };
const ONE: Large = Large { cgroup: "1", ..TWO };
const ONE_IN_MEMORY: Large = Large { end: &[OFF], ..ONE };
const ONE_REDUCED: Large = Large {
    checks: REDUCED,
    ..ONE
};

/// Started once the engine answers: the harness's hand in the guest.
pub(super) const AGENT: &[Change] = &[
    Change::Probe("usr/bin/probe", 0o755),
    Change::File(
        "opt/agent",
        0o755,
        "#!/bin/sh
echo started >> /run/agent-starts
setsid /usr/bin/probe --probe=agent < /dev/null &
",
    ),
];

/// A container is left by the engine, by live-restore, and is PID 1's to end.
const STEPS: &[Expect] = &[SaysInOrder(
    "steps",
    &[
        &["dockerlaunch: power button: power off"],
        &["dockerlaunch: SIGTERM to dockerd, which has 90 s"],
        &["dockerlaunch: dockerd ended with status 0"],
        &["dockerlaunch: SIGTERM to all other processes, which have 5 s"],
        &["dockerlaunch: unmounted: "],
        &["dockerlaunch: / is read-only"],
        &["dockerlaunch: power off"],
    ],
)];

const SUPERVISED_ENGINE: Large = Large {
    image: AGENT,
    checks: &[SUPERVISED],
    kills: 1,
    end: &[STEPS, OFF, CLEAN],
    ..TWO
};

pub(super) const APPLIANCES: &[Scenario] = appliances::TABLE;
pub(super) const NESTED: &[Scenario] = nested::TABLE;

pub(super) const TABLE: &[Scenario] = &[
    large(
        "trixie-disk",
        "Debian stable as most will run it",
        Suite::Trixie,
        Root::Disk,
        AUTO,
        Large {
            checks: &[QUIET, COMMON, EXECUTED, IPV6, LIMITS, LEFT],
            ..TWO
        },
    ),
    large(
        "trixie-initramfs",
        "runc needs pivot_root, which an initramfs refuses without the rebind",
        Suite::Trixie,
        Root::Initramfs,
        AUTO,
        TWO_IN_MEMORY,
    ),
    large(
        "bookworm-disk-v1",
        "version 1 with its memory and pids limits, on the last kernel that has them",
        Suite::Bookworm,
        Root::Disk,
        V1,
        ONE,
    ),
    large(
        "trixie-disk-v1",
        "version 1 where the kernel lacks memory and cpuset: named once, and Docker runs",
        Suite::Trixie,
        Root::Disk,
        V1,
        ONE_REDUCED,
    ),
    large(
        "sid-disk",
        "the newest kernel and engine",
        Suite::Sid,
        Root::Disk,
        AUTO,
        TWO,
    ),
    Scenario {
        words: &["--live-restore"],
        ..large(
            "supervise-engine",
            "the engine dies and its clients do not notice; its containers outlive it, and PID 1 outlives them",
            Suite::Trixie,
            Root::Disk,
            &["DOCKER_LAUNCH_READY=/opt/agent"],
            SUPERVISED_ENGINE,
        )
    },
    long(large(
        "case-c1-engine",
        "the root has not a free block: an engine whose data root is a state disk runs all the same",
        Suite::Trixie,
        Root::Full,
        &[
            "DOCKER_LAUNCH_MODULES=virtio_blk,virtio_pci,virtio_net",
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=ext4",
        ],
        Large {
            groups: Group::APPLIANCE,
            address: &[boot::ADDRESS],
            disks: &[Disk::BLANK],
            checks: &[COMMON],
            ..TWO
        },
    )),
    long(large(
        "bookworm-disk",
        "the oldest engine on version 2",
        Suite::Bookworm,
        Root::Disk,
        AUTO,
        TWO,
    )),
    long(large(
        "bookworm-disk-hybrid",
        "version 1 with a unified hierarchy beside it",
        Suite::Bookworm,
        Root::Disk,
        HYBRID,
        ONE,
    )),
    long(large(
        "bookworm-initramfs",
        "the rebind under the oldest runc",
        Suite::Bookworm,
        Root::Initramfs,
        AUTO,
        TWO_IN_MEMORY,
    )),
    long(large(
        "bookworm-initramfs-v1",
        "the rebind moves the mounts of every hierarchy with it",
        Suite::Bookworm,
        Root::Initramfs,
        V1,
        ONE_IN_MEMORY,
    )),
    long(large(
        "trixie-disk-hybrid",
        "hybrid where version 1 lacks memory and cpuset",
        Suite::Trixie,
        Root::Disk,
        HYBRID,
        ONE_REDUCED,
    )),
    long(large(
        "sid-initramfs",
        "kernel 7 puts an empty root under the initramfs",
        Suite::Sid,
        Root::Initramfs,
        AUTO,
        TWO_IN_MEMORY,
    )),
    long(large(
        "sid-disk-v1",
        "version 1 as the newest kernel offers it",
        Suite::Sid,
        Root::Disk,
        V1,
        ONE_REDUCED,
    )),
];
