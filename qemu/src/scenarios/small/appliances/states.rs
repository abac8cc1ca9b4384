//! The state disk: by each of its names, with each file system, late, missing, blank, damaged, and with other content.

use super::super::builder::{Change, Expectations, Group, Scenario, Step, WITH_MODULES, small};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    disks::{Disk, Holds, STATE, Table},
};

const WITH_MKFS: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Modules,
    Group::FileSystems,
    Group::Libraries,
];

/// The disk's driver.
const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_blk";

/// The probe uses the disk and powers the machine off.
const USE: &[&str] = &["--probe=report,count:/var/lib/docker/boots,signal:38,wait"];
const USE_ELSEWHERE: &[&str] = &["--probe=report,count:/srv/docker/boots,signal:38,wait"];

const FIRST: &[Expect] = &[Told(&["boot 1", "waits", "SIGTERM"]), Ends(End::PowerOff)];
const SECOND: &[Expect] = &[Told(&["boot 2", "waits", "SIGTERM"]), Ends(End::PowerOff)];

const ON_DISK: &[Expect] = &[MountedFrom("/var/lib/docker", "/dev/vda")];
const ON_PARTITION: &[Expect] = &[MountedFrom("/var/lib/docker", "/dev/vda2")];
const EXT4: &[Expect] = &[
    Mount("/var/lib/docker", "ext4", "rw,relatime", ""),
    Clean(STATE),
];
const XFS: &[Expect] = &[
    Mount("/var/lib/docker", "xfs", "rw,relatime", ""),
    Clean(STATE),
];
const BTRFS: &[Expect] = &[
    Mount("/var/lib/docker", "btrfs", "rw,relatime", ""),
    Clean(STATE),
];
const ELSEWHERE: &[Expect] = &[
    Mount("/srv/docker", "ext4", "rw,relatime", ""),
    NotMounted("/var/lib/docker"),
];

const FAILED: Expect = Panic("exitcode=0x00007d00");
const WAITS: &[&str] = &["dockerlaunch: waiting for LABEL=state, up to 10 s"];
const WAITED: &[Expect] = &[SaysTimes("waits", 1, WAITS)];
const NEVER: &[Expect] = &[
    FAILED,
    SaysOnly(&[
        WAITS,
        &["disks found: /dev/nvme0n1 (ext4"],
        &["LABEL=state", "no such disk after 10 s"],
    ]),
];

const MADE: &[Expect] = &[SaysTimes("made", 1, &["/dev/vda is blank: making"])];
const NOT_MADE: &[Expect] = &[SaysTimes("made", 0, &["making"])];
const ENCRYPTED: &[Expect] = &[
    FAILED,
    SaysOnly(&[&["/dev/vda (crypto_LUKS): ", "were left alone"]]),
    Unchanged(STATE),
];
const PARTITIONED: &[Expect] = &[
    FAILED,
    SaysOnly(&[&["/dev/vda (partition table): ", "were left alone"]]),
    Unchanged(STATE),
];
const BLANK: &[Expect] = &[
    FAILED,
    SaysOnly(&[&["/dev/vda: ", "DOCKER_LAUNCH_STATE_FORMAT=ext4"]]),
    Unchanged(STATE),
];

const MARKED: &str = "warning: /dev/vda is marked";
const REPAIRED: &[Expect] = &[SaysTimes("marked", 1, &[MARKED, "e2fsck has repaired it"])];
const NOT_REPAIRED: &[Expect] = &[SaysTimes("marked", 1, &[MARKED, "no e2fsck"])];
const NOT_MARKED: &[Expect] = &[SaysTimes("marked", 0, &[MARKED])];

/// Two boots use the disk.
const fn used(
    name: &'static str,
    why: &'static str,
    append: &'static [&'static str],
    disks: &'static [Disk],
    first: Expectations,
    second: Expectations,
) -> Scenario {
    small(name, why, first)
        .groups(WITH_MODULES)
        .append(append)
        .words(USE)
        .disks(disks)
        .lived(&[])
        .again(second)
}

/// The boot fails with a line that says why.
const fn refused(
    name: &'static str,
    why: &'static str,
    append: &'static [&'static str],
    disks: &'static [Disk],
    expect: Expectations,
) -> Scenario {
    small(name, why, expect)
        .groups(WITH_MODULES)
        .append(append)
        .disks(disks)
        .refused()
}

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    used(
        "appliance-state-device",
        "what the daemon wrote is there after a reboot",
        &[DRIVER, "DOCKER_LAUNCH_STATE=/dev/vda"],
        &[Disk::BLANK.holds(Holds::Ext4)],
        &[FIRST, ON_DISK, EXT4],
        &[SECOND, ON_DISK, EXT4],
    ),
    used(
        "appliance-state-label",
        "xfs, by its label",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[Disk::BLANK.holds(Holds::Xfs)],
        &[FIRST, ON_DISK, XFS],
        &[SECOND, ON_DISK, XFS],
    ),
    used(
        "appliance-state-uuid",
        "btrfs, by its UUID",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=UUID=0dad5cc0-57a7-4e00-8d15-000000000001",
        ],
        &[Disk::BLANK.holds(Holds::Btrfs)],
        &[FIRST, ON_DISK, BTRFS],
        &[SECOND, ON_DISK, BTRFS],
    ),
    used(
        "appliance-state-partlabel",
        "a partition by its name in a GPT",
        &[DRIVER, "DOCKER_LAUNCH_STATE=PARTLABEL=docker-state"],
        &[Disk::BLANK.table(Table::Gpt).holds(Holds::Ext4)],
        &[FIRST, ON_PARTITION],
        &[SECOND, ON_PARTITION],
    ),
    used(
        "appliance-state-partuuid",
        "a partition by its UUID in a GPT",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=PARTUUID=0DAD5CC0-57a7-4e00-8d15-000000000002",
        ],
        &[Disk::BLANK.table(Table::Gpt).holds(Holds::Ext4)],
        &[FIRST, ON_PARTITION],
        &[SECOND, ON_PARTITION],
    ),
    used(
        "appliance-state-partuuid-mbr",
        "a partition by the disk's signature and its number",
        &[DRIVER, "DOCKER_LAUNCH_STATE=PARTUUID=0dad5cc0-02"],
        &[Disk::BLANK.table(Table::Mbr).holds(Holds::Ext4)],
        &[FIRST, ON_PARTITION],
        &[SECOND, ON_PARTITION],
    ),
    used(
        "appliance-state-data-root",
        "the state disk at the data root that daemon.json names",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[Disk::BLANK.holds(Holds::Ext4)],
        &[FIRST, ELSEWHERE],
        &[SECOND, ELSEWHERE],
    )
    .image(&[Change::File(
        "usr/etc/docker/daemon.json",
        0o644,
        "{\"data-root\": \"/srv/docker\"}\n",
    )])
    .words(USE_ELSEWHERE),
    used(
        "appliance-state-late",
        "a disk that comes after the boot has begun to wait",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[Disk::BLANK.holds(Holds::Ext4).late()],
        &[FIRST, ON_DISK, WAITED],
        &[SECOND, ON_DISK, WAITED],
    )
    .lived(&[Step::Console(WAITS), Step::Plug(STATE)]),
    refused(
        "appliance-state-never",
        "the wait has a limit, and the line names it",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[],
        &[NEVER],
    ),
    used(
        "appliance-state-format-ext4",
        "a blank disk gets a file system, once",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=ext4",
        ],
        &[Disk::BLANK],
        &[FIRST, EXT4, MADE],
        &[SECOND, EXT4, NOT_MADE],
    )
    .groups(WITH_MKFS),
    used(
        "appliance-state-format-xfs",
        "the same with the image's mkfs.xfs",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=xfs",
        ],
        &[Disk::BLANK],
        &[FIRST, XFS, MADE],
        &[SECOND, XFS, NOT_MADE],
    )
    .groups(WITH_MKFS)
    .long(),
    used(
        "appliance-state-format-btrfs",
        "the same with the image's mkfs.btrfs",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=btrfs",
        ],
        &[Disk::BLANK],
        &[FIRST, BTRFS, MADE],
        &[SECOND, BTRFS, NOT_MADE],
    )
    .groups(WITH_MKFS)
    .long(),
    refused(
        "appliance-state-blank",
        "no file system is made without the setting for it",
        &[DRIVER, "DOCKER_LAUNCH_STATE=/dev/vda"],
        &[Disk::BLANK],
        &[BLANK],
    )
    .groups(WITH_MKFS),
    refused(
        "appliance-state-encrypted",
        "a disk that is not blank is left alone, although the setting asks for a file system",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=ext4",
        ],
        &[Disk::BLANK.holds(Holds::Luks)],
        &[ENCRYPTED],
    )
    .groups(WITH_MKFS),
    refused(
        "appliance-state-partitioned",
        "a disk with a partition table is not blank either",
        &[
            DRIVER,
            "DOCKER_LAUNCH_STATE=/dev/vda",
            "DOCKER_LAUNCH_STATE_FORMAT=ext4",
        ],
        &[Disk::BLANK.table(Table::Gpt)],
        &[PARTITIONED],
    )
    .groups(WITH_MKFS),
    used(
        "appliance-state-errors",
        "a file system that is marked with errors is repaired before it is used",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[Disk::BLANK.holds(Holds::Ext4WithErrors)],
        &[FIRST, EXT4, REPAIRED],
        &[SECOND, EXT4, NOT_MARKED],
    )
    .groups(WITH_MKFS),
    used(
        "appliance-state-errors-kept",
        "without e2fsck there is a warning, and the file system is used",
        &[DRIVER, "DOCKER_LAUNCH_STATE=LABEL=state"],
        &[Disk::BLANK.holds(Holds::Ext4WithErrors)],
        &[FIRST, ON_DISK, NOT_REPAIRED],
        &[SECOND, ON_DISK],
    )
    .long(),
];
