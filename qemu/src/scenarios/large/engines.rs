//! Engines on real machines: one of each suite, and the combinations that tell something new; the others with --long.

use super::builder::{
    AGENT, CLEAN, Group, Large, OFF, ONE, Root, Scenario, Suite, TWO, large, long,
};
use crate::{
    checks::{
        engine::{
            COMMON, CONTAINERD, EXECUTED, IPV6, LEFT, LIMITS, MISSING_CONTROLLERS, QUIET, Row,
            SUPERVISED,
        },
        expect::Expect::{self, *},
    },
    disks::Disk,
    engine::launch::ADDRESS,
};

/// Without memory and cpuset, which version 1 no longer has on the kernels of trixie and sid.
const REDUCED: &[&[Row]] = &[COMMON, EXECUTED, MISSING_CONTROLLERS, LEFT];

/// What one guest of each suite is asked.
const OF_SUITE: &[&[Row]] = &[QUIET, COMMON, EXECUTED, LIMITS, CONTAINERD, LEFT];

const AUTO: &[&str] = &[];
const V1: &[&str] = &["DOCKER_LAUNCH_CGROUP=v1"];
const HYBRID: &[&str] = &["DOCKER_LAUNCH_CGROUP=hybrid"];

/// An initramfs has no disk to be clean.
const TWO_IN_MEMORY: Large = Large { end: &[OFF], ..TWO };
const ONE_IN_MEMORY: Large = Large { end: &[OFF], ..ONE };
const ONE_REDUCED: Large = Large {
    checks: REDUCED,
    ..ONE
};

/// With live-restore the engine leaves a container, which PID 1 has to end.
const STEPS: &[Expect] = &[SaysInOrder(
    "steps",
    &[
        &["dockerlaunch: power button: power off"],
        &["dockerlaunch: SIGTERM to dockerd, which has 90 s"],
        &["dockerlaunch: dockerd ended with status 0"],
        &["dockerlaunch: SIGTERM to containerd, which has 5 s"],
        &["dockerlaunch: containerd ended with status 0"],
        &["dockerlaunch: SIGTERM to all other processes, which have 5 s"],
        &["dockerlaunch: unmounted: "],
        &["dockerlaunch: / is read-only"],
        &["dockerlaunch: power off"],
    ],
)];

const SUPERVISED_ENGINE: Large = Large {
    image: AGENT,
    checks: &[SUPERVISED],
    kills: 2,
    end: &[STEPS, OFF, CLEAN],
    ..TWO
};

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    large(
        "trixie-disk",
        "Debian stable, as most users run it",
        Suite::Trixie,
        Root::Disk,
        AUTO,
        Large {
            checks: &[QUIET, COMMON, EXECUTED, IPV6, LIMITS, CONTAINERD, LEFT],
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
        Large {
            checks: OF_SUITE,
            ..ONE
        },
    ),
    large(
        "trixie-disk-v1",
        "version 1 where the kernel lacks memory and cpuset: one warning, and Docker runs",
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
        Large {
            checks: OF_SUITE,
            ..TWO
        },
    ),
    Scenario {
        words: &["--live-restore"],
        ..large(
            "supervise-engine",
            "the engine is killed and its clients do not notice; its containers go on, and PID 1 ends them at last",
            Suite::Trixie,
            Root::Disk,
            &["DOCKER_LAUNCH_READY=/opt/agent"],
            SUPERVISED_ENGINE,
        )
    },
    long(large(
        "case-c1-engine",
        "the root has no free block: an engine whose data root is a state disk still runs",
        Suite::Trixie,
        Root::Full,
        &[
            "DOCKER_LAUNCH_MODULES=virtio_blk,virtio_pci,virtio_net",
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=ext4",
        ],
        Large {
            groups: Group::APPLIANCE,
            address: &[ADDRESS],
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
        "version 1 on the newest kernel",
        Suite::Sid,
        Root::Disk,
        V1,
        ONE_REDUCED,
    )),
];
