//! Disks as they are in the field: with traces of an earlier use, write-protected, or several with one file system.

use super::super::builder::{
    Expectations, Group, Root, Scenario, Step, Suite, WITH_MODULES, small,
};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    disks::{Disk, Holds, STATE, Table},
    image::Format,
};

const READ_ONLY: &[Group] = &[Group::Program, Group::System, Group::Links];

const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_blk";
const LABEL: &str = "DOCKER_LAUNCH_STATE=LABEL=state";
const USE: &[&str] = &["--probe=report,count:/var/lib/docker/boots,signal:38,wait"];

const USED: &[Expect] = &[Told(&["boot 1", "waits", "SIGTERM"]), Ends(End::PowerOff)];
const USED_AGAIN: &[Expect] = &[Told(&["boot 2", "waits", "SIGTERM"]), Ends(End::PowerOff)];

/// The whole disk has the label as well.
const IN_PARTITION: &[Expect] = &[
    Mount("/var/lib/docker", "ext4", "rw,relatime", ""),
    MountedFrom("/var/lib/docker", "/dev/vdb2"),
];
const ROOT: &[Expect] = &[MountedFrom("/", "/dev/vda")];
const PROTECTED: &[Expect] = &[
    Mount("/", "ext4", "ro,relatime", "ro"),
    MountedFrom("/", "/dev/vda"),
    SaysTimes("protected", 1, &["warning: /dev/vda is write-protected"]),
];

/// The second disk of a btrfs.
const SECOND: &str = "second";
const WAITS: &[&str] = &["dockerlaunch: waiting for LABEL=state, up to 10 s"];
const ON_BOTH: &[Expect] = &[
    Mount("/var/lib/docker", "btrfs", "rw,relatime", ""),
    SaysTimes("waits", 1, WAITS),
    SaysTimes("warnings", 0, &["warning: state disk"]),
];

const BOTH: &[Disk] = &[
    Disk::BLANK,
    Disk {
        name: SECOND,
        ..Disk::BLANK.holds(Holds::BtrfsWith(STATE)).late()
    },
];

const fn used(name: &'static str, why: &'static str, first: Expectations) -> Scenario {
    small(name, why, first).words(USE)
}

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    used(
        "case-a1",
        "a label that the whole disk had before it was partitioned",
        &[USED, IN_PARTITION, ROOT],
    )
    .on(Suite::Trixie, Root::Switch(Format::Disk, Table::None))
    .groups(READ_ONLY)
    .append(&[DRIVER, "root=/dev/vda", "ro", LABEL])
    .disks(&[Disk::BLANK.table(Table::Mbr).holds(Holds::Ext4InOld)])
    .lived(&[])
    .again(&[USED_AGAIN, IN_PARTITION, ROOT]),
    used(
        "case-f2",
        "root=fe00 rw on a write-protected disk",
        &[USED, PROTECTED],
    )
    .on(Suite::Trixie, Root::Switch(Format::Disk, Table::None))
    .groups(READ_ONLY)
    .append(&[DRIVER, "root=fe00", "rw"])
    .protected(true),
    used(
        "case-a2",
        "a btrfs on two disks, of which the second is plugged in late",
        &[USED, ON_BOTH],
    )
    .groups(WITH_MODULES)
    .append(&[DRIVER, LABEL])
    .disks(BOTH)
    .lived(&[Step::Console(WAITS), Step::Plug(SECOND)])
    .again(&[USED_AGAIN, ON_BOTH]),
];
