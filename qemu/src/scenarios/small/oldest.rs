//! Linux 5.10, the oldest kernel that dockerlaunch supports, and what is different there: close_range(2) has no flag for close-on-exec
//! (the daemon's descriptors), and there is no mount_setattr(2).

use super::{
    boots::{DAEMON, DEVICES, LAYOUT, MOUNTED_ON_DISK, MOUNTS, NETWORK, SHARED},
    builder::{Change, Disk, QUIET, Root, Scenario, Suite, WITH_MODULES, small},
    cgroups::{ONLY_V1, V1, WITH_MEMORY},
};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    disks::{Holds, STATE},
};

const KERNEL: &[Expect] = &[Says("kernel", &["Linux version 5.10."])];

const V2: &[Expect] = &[Controllers(&["cpu", "cpuset", "io", "memory", "pids"])];

const STATE_DISK: &[Expect] = &[
    Mount("/var/lib/docker", "ext4", "rw,relatime", ""),
    MountedFrom("/var/lib/docker", "/dev/vda"),
    Clean(STATE),
    CleanDisk,
];
/// A script that starts PID 1 leaves a file open, which the daemon must not inherit.
const INHERITS: &[Change] = &[Change::File(
    "opt/init",
    0o755,
    "#!/usr/bin/sh
exec 7< /opt/init
exec /usr/bin/dockerlaunch \"$@\"
",
)];
const ITS_OWN: &[Expect] = &[Descriptors(&[
    (0, "/dev/console"),
    (1, "/dev/console"),
    (2, "/dev/console"),
])];

const ENDED: &[Expect] = &[Told(&["boot 1", "waits", "SIGTERM"]), Ends(End::PowerOff)];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "case-g9-bullseye-disk",
        "everything that a daemon finds on the oldest kernel, with version 2 by the setting",
        &[
            KERNEL,
            MOUNTS,
            MOUNTED_ON_DISK,
            DEVICES,
            LAYOUT,
            DAEMON,
            SHARED,
            NETWORK,
            V2,
            QUIET,
        ],
    )
    .on(Suite::Bullseye, Root::Disk)
    .append(&["DOCKER_LAUNCH_CGROUP=v2"]),
    small(
        "case-g9-bullseye-initramfs",
        "the rebind on the oldest kernel, which moves every version 1 hierarchy with it",
        &[KERNEL, DEVICES, DAEMON, SHARED, V1, WITH_MEMORY, ONLY_V1],
    )
    .on(Suite::Bullseye, Root::Initramfs)
    .append(&["DOCKER_LAUNCH_CGROUP=v1"]),
    small(
        "case-g9-bullseye-state",
        "inherited descriptors, a module, a state disk and a shutdown on the oldest kernel",
        &[KERNEL, ITS_OWN, STATE_DISK, ENDED],
    )
    .on(Suite::Bullseye, Root::Disk)
    .groups(WITH_MODULES)
    .image(INHERITS)
    .append(&[
        "init=/opt/init",
        "DOCKER_LAUNCH_MODULES=virtio_pci,virtio_blk",
        "DOCKER_LAUNCH_STATE=/dev/vda",
    ])
    .words(&["--probe=report,count:/var/lib/docker/boots,signal:38,wait"])
    .disks(&[Disk::BLANK.holds(Holds::Ext4)])
    .lived(&[]),
];
