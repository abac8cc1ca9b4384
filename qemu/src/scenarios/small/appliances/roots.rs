//! A read-only root, and a root that needs drivers: the initramfs loads them and switches to the root.

use super::super::{
    boots,
    builder::{Change, Expectations, Group, Root, Scenario, Step, Suite, small},
};
use crate::{
    checks::expect::{
        Content::Is,
        End,
        Expect::{self, *},
    },
    disks::{ROOT, Table},
    image::Format,
};

/// The probe writes to the data root.
const USE: &[&str] = &["--probe=report,count:/var/lib/docker/boots,signal:38,wait"];
const FIRST: &[Expect] = &[Told(&["boot 1", "waits", "SIGTERM"]), Ends(End::PowerOff)];
const SECOND: &[Expect] = &[Told(&["boot 2", "waits", "SIGTERM"]), Ends(End::PowerOff)];

const CONTENTS: &[Change] = &[
    Change::File("etc/own/file", 0o640, "of the image\n"),
    Change::Link("etc/link", "own/file"),
    Change::File("root/file", 0o600, "of the image\n"),
    Change::File("var/cache/file", 0o644, "of the image\n"),
    Change::File("usr/etc/default", 0o644, "a default\n"),
    Change::Directory("var/lib/docker", 0o710),
];

const KEPT: &[Expect] = &[
    File("/etc/own/file", "640", Is("of the image\n")),
    Link("/etc/link", "own/file"),
    File("/etc/default", "644", Is("a default\n")),
    File("/root/file", "600", Is("of the image\n")),
    File("/var/cache/file", "644", Is("of the image\n")),
    Unchanged(ROOT),
];

const VOLATILE: &[Expect] = &[
    Mount("/etc", "tmpfs", "rw,nosuid,nodev,relatime", ""),
    Directory("/etc", "755"),
    Mount("/root", "tmpfs", "rw,nosuid,nodev,relatime", ""),
    Directory("/root", "700"),
    Mount("/tmp", "tmpfs", "rw,nosuid,nodev,relatime", ""),
    Directory("/tmp", "1777"),
    Mount("/var", "tmpfs", "rw,relatime", ""),
    Directory("/var", "755"),
    Absent("/run/.dockerlaunch"),
    Directory("/var/lib/docker", "710"),
    PivotRoot("works"),
];

const RO_EXT4: &[Expect] = &[Mount("/", "ext4", "ro,relatime", "ro")];
const RO_EROFS: &[Expect] = &[Mount("/", "erofs", "ro,relatime", "ro")];
const RO_SQUASHFS: &[Expect] = &[Mount("/", "squashfs", "ro,relatime", "ro")];

/// The new root has everything that a root mounted by the kernel has.
const SWITCHED: &[&[Expect]] = &[
    boots::MOUNTS,
    boots::MOUNTED_ON_DISK,
    boots::DEVICES,
    boots::SHARED,
    FREED,
    FIRST,
    RW,
];
/// No file of the old root is open, so its memory is free.
const FREED: &[Expect] = &[InMemory(4096), Absent("/.dockerlaunch.root")];
const RW: &[Expect] = &[
    Mount("/", "ext4", "rw,relatime", "rw"),
    MountedFrom("/", "/dev/vda"),
    CleanDisk,
];
const FLAGS: &[Expect] = &[Mount("/", "ext4", "rw,relatime", "rw,commit=33")];
const PARTITION: &[Expect] = &[MountedFrom("/", "/dev/vda2")];

const WAITS: &[&str] = &["dockerlaunch: waiting for LABEL=dockerlaunch, up to 300 s"];
const NEVER: &[Expect] = &[
    Panic("exitcode=0x00007d00"),
    SaysOnly(&[
        &["waiting for /dev/nowhere, up to 10 s"],
        &["disks found: /dev/vda (ext4"],
        &["/dev/nowhere", "no such disk in that time"],
    ]),
];

const READ_ONLY: &[Group] = &[Group::Program, Group::System, Group::Links];

const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_blk";

const fn switched(
    name: &'static str,
    why: &'static str,
    append: &'static [&'static str],
    expect: Expectations,
) -> Scenario {
    small(name, why, expect)
        .on(Suite::Trixie, Root::Switch(Format::Disk, Table::None))
        .append(append)
        .words(USE)
        .lived(&[])
}

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "appliance-ro-ext4",
        "a root that the kernel has mounted read-only: /etc and /var are in memory, and the image does not change",
        &[FIRST, RO_EXT4, VOLATILE, KEPT],
    )
    .on(Suite::Trixie, Root::ReadOnly)
    .groups(READ_ONLY)
    .image(CONTENTS)
    .words(USE)
    .lived(&[])
    .again(&[FIRST, VOLATILE, KEPT]),
    switched(
        "appliance-ro-erofs",
        "a read-only file system as the root, which needs two modules",
        &["DOCKER_LAUNCH_MODULES=virtio_blk,erofs", "root=/dev/vda", "ro"],
        &[FIRST, RO_EROFS, VOLATILE, KEPT, FREED],
    )
    .on(Suite::Trixie, Root::Switch(Format::Erofs, Table::None))
    .groups(READ_ONLY)
    .image(CONTENTS),
    switched(
        "appliance-ro-squashfs",
        "the same with squashfs, its type given",
        &[
            "DOCKER_LAUNCH_MODULES=virtio_blk,squashfs",
            "root=/dev/vda",
            "rootfstype=squashfs",
        ],
        &[FIRST, RO_SQUASHFS, VOLATILE, KEPT, FREED],
    )
    .on(Suite::Trixie, Root::Switch(Format::Squashfs, Table::None))
    .groups(READ_ONLY)
    .image(CONTENTS),
    switched(
        "appliance-root-device",
        "the initramfs loads the disk's driver and switches to the disk",
        &[DRIVER, "root=/dev/vda", "rw"],
        SWITCHED,
    )
    .again(&[SECOND, RW]),
    switched(
        "appliance-root-label",
        "the root by its label, with options of its file system",
        &[DRIVER, "root=\"LABEL=dockerlaunch\"", "rw", "rootfstype=ext4", "\"rootflags=commit=33\""],
        &[FIRST, FLAGS, FREED],
    ),
    switched(
        "appliance-root-uuid",
        "the root by its UUID, read-only as is the kernel's default",
        &[DRIVER, "root=UUID={root}"],
        &[FIRST, RO_EXT4, VOLATILE, FREED],
    )
    .groups(READ_ONLY),
    switched(
        "appliance-root-partuuid",
        "the root in a partition of a GPT",
        &[DRIVER, "root=PARTUUID=0dad5cc0-57a7-4e00-8d15-000000000002", "rw"],
        &[FIRST, PARTITION, FREED],
    )
    .on(Suite::Trixie, Root::Switch(Format::Disk, Table::Gpt)),
    switched(
        "appliance-root-late",
        "rootwait: a disk that comes after the boot has begun to wait",
        &[DRIVER, "\"root=LABEL=dockerlaunch\"", "rw", "rootwait"],
        &[FIRST, RW, FREED],
    )
    .lived(&[Step::Console(WAITS), Step::Plug(ROOT)]),
    switched(
        "appliance-root-never",
        "the wait for the root has a limit, and the line says what to do",
        &[DRIVER, "root=/dev/nowhere"],
        &[NEVER],
    )
    .refused(),
];
