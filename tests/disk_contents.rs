//! How a disk is judged by everything on it: partition tables, members of arrays and volumes, other devices on top of it,
//! and several file systems with one name.

use crate::{
    disks::{Disks, btrfs, ext4, tool, write_at},
    root::Root,
    state::{UUID, assert_found, assert_left},
    util::{Before, Needs, search, tests},
};
use std::{path::Path, process::Command};

tests![Needs::State;
    a1_a_disk_with_partitions_is_never_used_whole,
    a1_several_matching_file_systems_are_refused,
    a1_a_copied_disk_is_refused_by_partition_name_too,
    a1_members_of_arrays_and_volumes_are_no_file_systems,
    a1_types_have_the_names_of_libblkid,
    a1_a_device_on_top_takes_precedence,
    a1_a_partition_of_an_unassembled_array_is_refused,
    a1_two_signatures_on_one_device_are_refused,
    a1_boot_code_is_not_taken_for_a_partition_table,
    a1_an_unreadable_disk_does_not_hide_the_others,
    a1_disks_without_a_device_node_are_ignored,
];

const LEFT: &str = "its contents are not ext4, xfs or btrfs, and were left alone; if they may be lost, wipe it: blkdiscard, or dd from /dev/zero";
pub(crate) const SEVERAL: &str = "several file systems have this name, and none was mounted; use a name that only one has (UUID=, PARTUUID=, /dev/…), or wipe the others (wipefs -a)";

fn sfdisk(disk: &Path, table: &str) {
    let words = ["-q", "-w", "never", "--no-reread", "--no-tell-kernel"];
    let words = [&words[..], &[disk.to_str().unwrap()]].concat();
    tool("sfdisk", &words, table);
}

/// The expected lines, with the disks in the order in which the program lists them.
pub(crate) fn said(disks: &Disks<'_>, name: &str) -> String {
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", name);
    let ended = start.ended();
    assert_eq!(ended.status, 125, "{}", ended.stderr);
    let sorted = |line: &str| match line.split_once("dockerlaunch: disks ") {
        Some((before, list)) => {
            let (title, list) = list.split_once(": ").unwrap();
            let mut disks: Vec<_> = list.split(", ").collect();
            disks.sort_unstable();
            format!(
                "{before}dockerlaunch: disks {title}: {}\n",
                disks.join(", ")
            )
        }
        None => format!("{line}\n"),
    };
    ended.said().lines().map(sorted).collect()
}

/// The label is still where the whole disk had it: sfdisk and fdisk leave it there.
fn a1_a_disk_with_partitions_is_never_used_whole() {
    for table in [
        "label: dos\nsize=4MiB\n",
        "label: gpt\nsize=4MiB, name=state\n",
        "label: dos\nsize=1MiB, type=5\n",
        "label: sun\n",
    ] {
        let root = Root::new();
        let mut disks = Disks::new(&root);
        let disk = disks.add("vda", 16 << 20);
        ext4(&disk, "state", UUID);
        sfdisk(&disk, table);
        // The kernel knows a table that the program cannot read: its partitions show it.
        let number = if table.contains("type=5") { 5 } else { 1 };
        ext4(&disks.add_partition("vda", number, "state"), "state", UUID);
        let partition = format!("vda{number}");
        assert_found(&disks, "LABEL=state", &partition);
        assert_found(&disks, &format!("UUID={UUID}"), &partition);
    }
    // The kernel has not read the table, or lacks a driver.
    for table in ["label: dos\nsize=4MiB\n", "label: gpt\nsize=4MiB\n"] {
        let root = Root::new();
        let mut disks = Disks::new(&root);
        let disk = disks.add("vda", 16 << 20);
        ext4(&disk, "state", UUID);
        sfdisk(&disk, table);
        ext4(&disks.add("vdb", 4 << 20), "state", UUID);
        assert_found(&disks, "LABEL=state", "vdb");
    }
}

fn a1_several_matching_file_systems_are_refused() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["vdc", "vda", "vdb"] {
        ext4(&disks.add(name, 4 << 20), "state", UUID);
    }
    btrfs(&disks.add("vdd", 1 << 20), "state", [7; 16], 1);
    for (name, others) in [
        ("LABEL=state".to_string(), ", /dev/vdd (btrfs LABEL=state)"),
        (format!("UUID={UUID}"), ""),
        (format!("/dev/disk/by-uuid/{UUID}"), ""),
    ] {
        let expected = format!(
            "dockerlaunch: disks named {name}: /dev/vda (ext4 LABEL=state), /dev/vdb (ext4 LABEL=state), /dev/vdc (ext4 LABEL=state){others}\n\
            dockerlaunch: state disk {name}: {SEVERAL}\n"
        );
        assert_eq!(said(&disks, &name), expected);
    }
}

fn a1_a_copied_disk_is_refused_by_partition_name_too() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["vda", "vdb"] {
        let disk = disks.add(name, 16 << 20);
        sfdisk(&disk, "label: dos\nlabel-id: 0x1234abcd\nsize=2MiB\n");
        disks.add_partition(name, 1, "blank");
    }
    for name in ["PARTUUID=1234abcd-01", "PARTLABEL=blank"] {
        let expected = format!(
            "dockerlaunch: disks named {name}: /dev/vda1 (nothing known), /dev/vdb1 (nothing known)\n\
            dockerlaunch: state disk {name}: {SEVERAL}\n"
        );
        assert_eq!(said(&disks, name), expected);
    }
}

/// Signatures as they are on a disk of four MiB, with libblkid's names for them.
const MEMBERS: &[(&str, u64, &[u8])] = &[
    ("linux_raid_member", 0, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    ("linux_raid_member", 4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    (
        "linux_raid_member",
        (4 << 20) - 8192,
        b"\xfc\x4e\x2b\xa9\x01\0\0\0",
    ),
    (
        "linux_raid_member",
        (4 << 20) - 65536,
        b"\xfc\x4e\x2b\xa9\0\0\0\0",
    ),
    (
        "linux_raid_member",
        (4 << 20) - 65536,
        b"\xa9\x2b\x4e\xfc\0\0\0\0",
    ),
    ("ddf_raid_member", (4 << 20) - 512, b"\xde\x11\xde\x11"),
    (
        "isw_raid_member",
        (4 << 20) - 1024,
        b"Intel Raid ISM Cfg Sig. ",
    ),
    ("LVM2_member", 0, b"LABELONE"),
    ("LVM2_member", 512, b"LABELONE"),
    ("LVM2_member", 1536, b"LABELONE"),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe\0\x01"),
    ("crypto_LUKS", 16384, b"SKUL\xba\xbe\0\x02"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("bcache", 4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca"),
    ("drbd", (4 << 20) - 4036, b"\x83\x74\x02\x6b"),
    ("drbd", (4 << 20) - 4036, b"\x83\x74\x02\x6d"),
    ("zfs_member", 16408, b"version\0"),
    ("stratis", 520, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("DM_verity_hash", 0, b"verity\0\0"),
    ("DM_integrity", 0, b"integrt\0"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("swsuspend", 4086, b"S1SUSPEND"),
];

/// With an old file system below the signature and without one: the launch neither mounts the disk nor makes a file system.
fn a1_members_of_arrays_and_volumes_are_no_file_systems() {
    let root = Root::new();
    root.stand_in("/usr/sbin/mkfs.ext4");
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "member");
    ext4(&disks.add("vdb", 4 << 20), "state", UUID);
    for with_file_system in [true, false] {
        for (name, place, magic) in MEMBERS {
            std::fs::write(&disk, vec![0; 4 << 20]).unwrap();
            if with_file_system {
                ext4(&disk, "state", UUID);
            }
            write_at(&disk, *place, magic);
            let line = format!("/dev/vda1 ({name}): {LEFT}");
            assert_left(&disks, &disk, "PARTLABEL=member", Some("ext4"), &line);
            assert!(!root.path("/mkfs.ext4.words").exists());
            if with_file_system {
                assert_found(&disks, "LABEL=state", "vdb");
            }
        }
    }
}

/// The machine's own blkid judges what the machine's own tools have written.
fn a1_types_have_the_names_of_libblkid() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "x");
    let path = disk.to_str().unwrap();
    let swap = || tool("mkswap", &["-q", path], "");
    // struct mdp_superblock_1 (linux/raid/md_p.h): magic, version, and where it lies, in sectors.
    let raid = || {
        ext4(&disk, "state", UUID);
        write_at(&disk, 4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0");
        write_at(&disk, 4096 + 144, &8_u64.to_le_bytes());
    };
    let luks = || {
        ext4(&disk, "state", UUID);
        write_at(&disk, 0, b"LUKS\xba\xbe\0\x01");
    };
    let makers: [(&str, &dyn Fn()); 3] = [
        ("swap", &swap),
        ("linux_raid_member", &raid),
        ("crypto_LUKS", &luks),
    ];
    for (name, make) in makers {
        std::fs::write(&disk, vec![0; 4 << 20]).unwrap();
        make();
        let blkid = Command::new(search("blkid").unwrap())
            .args(["-p", "-s", "TYPE", "-o", "value", path])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(blkid.stdout).unwrap().trim(), name);
        let line = format!("/dev/vda1 ({name}): {LEFT}");
        assert_left(&disks, &disk, "PARTLABEL=x", None, &line);
    }
}

/// device-mapper, multipath and md: the device on top shows the contents of the disks below it.
fn a1_a_device_on_top_takes_precedence() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["sda", "sdb", "dm-0"] {
        ext4(&disks.add(name, 4 << 20), "state", UUID);
    }
    disks.hold("sda", "dm-0");
    disks.hold("sdb", "dm-0");
    assert_found(&disks, "LABEL=state", "dm-0");
    assert_found(&disks, &format!("UUID={UUID}"), "dm-0");

    // The partitions of the paths of a multipath device.
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["sda", "sdb"] {
        disks.add(name, 4 << 20);
        disks.hold(name, "dm-0");
        ext4(&disks.add_partition(name, 1, "state"), "state", UUID);
    }
    disks.add("dm-0", 4 << 20);
    ext4(&disks.add("dm-1", 4 << 20), "state", UUID);
    assert_found(&disks, "LABEL=state", "dm-1");
}

/// Each disk of a mirror looks like the whole, partitions included: a write to one disk would make the two differ.
fn a1_a_partition_of_an_unassembled_array_is_refused() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add("sda", 16 << 20);
    let partition = disks.add_partition("sda", 1, "state");
    ext4(&partition, "state", UUID);
    ext4(&disks.add("sdb", 4 << 20), "state", UUID);
    let md = "linux_raid_member";
    let signatures: [(&str, u64, &[u8]); 3] = [
        (md, (16 << 20) - 8192, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
        (
            "isw_raid_member",
            (16 << 20) - 1024,
            b"Intel Raid ISM Cfg Sig. ",
        ),
        (md, (16 << 20) - 65536, b"\xfc\x4e\x2b\xa9\0\0\0\0"),
    ];
    for (name, place, magic) in signatures {
        std::fs::write(&disk, vec![0; 16 << 20]).unwrap();
        write_at(&disk, place, magic);
        disks.place("sda1", 1 << 20, 8 << 20);
        assert_found(&disks, "LABEL=state", "sdb");
        let line = format!("/dev/sda1 ({name}): {LEFT}");
        assert_left(&disks, &partition, "PARTLABEL=state", None, &line);
    }
    // A signature inside the last partition belongs to that partition; the others are usable.
    disks.add_partition("sda", 2, "");
    disks.place("sda2", 9 << 20, 7 << 20);
    assert_found(&disks, "PARTLABEL=state", "sda1");
}

fn a1_two_signatures_on_one_device_are_refused() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    ext4(&disks.add("vdb", 4 << 20), "state", UUID);
    let disk = disks.add_partition("vda", 1, "two");
    for second in ["btrfs", "xfs", "f2fs"] {
        std::fs::write(&disk, vec![0; 4 << 20]).unwrap();
        ext4(&disk, "state", UUID);
        match second {
            "btrfs" => btrfs(&disk, "state", [7; 16], 1),
            "xfs" => write_at(&disk, 0, b"XFSB"),
            _ => write_at(&disk, 1024, b"\x10\x20\xf5\xf2"),
        }
        let line = format!("/dev/vda1 (several file systems): {LEFT}");
        assert_left(&disks, &disk, "PARTLABEL=two", Some("ext4"), &line);
        assert_found(&disks, "LABEL=state", "vdb");
    }
}

/// Boot loaders write into the first KiB of ext4; what they write ends like a partition table.
fn a1_boot_code_is_not_taken_for_a_partition_table() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add("vda", 4 << 20);
    ext4(&disk, "state", UUID);
    write_at(&disk, 510, b"\x55\xaa");
    assert_found(&disks, "LABEL=state", "vda");
    write_at(&disk, 440, b"\x12\x34\x56\x78");
    assert_found(&disks, "LABEL=state", "vda");
    // extlinux has code up to the last two bytes.
    write_at(&disk, 0, b"\xeb\x58\x90EXTLINUX");
    let code: Vec<u8> = (0..440).map(|byte| (byte * 7 + 1) as u8).collect();
    write_at(&disk, 62, &code);
    assert_found(&disks, "LABEL=state", "vda");
    // The boot areas of an eMMC are below their disk in sysfs, but are no partitions.
    let boot = "/sysfs/devices/vda/vdaboot0/uevent";
    root.file(boot, "DEVNAME=vdaboot0\nDEVTYPE=disk\n");
    assert_found(&disks, "LABEL=state", "vda");
}

fn a1_an_unreadable_disk_does_not_hide_the_others() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    disks.add("vda", 0);
    disks.add("vdb", 4 << 20);
    ext4(&disks.add("vdc", 4 << 20), "state", UUID);
    // The memory of PID 1: reading its first page fails with EIO.
    let start = disks
        .start()
        .before(Before::bind("/proc/self/mem", "/dev/vdb"));
    let ended = start.variable("DOCKER_LAUNCH_STATE", "LABEL=state").ended();
    let line = "dockerlaunch: state disk /dev/vdc: block device required (ENOTBLK)\n";
    assert_eq!(ended.said(), line);
    let start = disks
        .start()
        .before(Before::bind("/proc/self/mem", "/dev/vdb"));
    let start = start.variable("DOCKER_LAUNCH_STATE", "/dev/disk/by-id/x");
    let list = start.ended().said();
    let list = list.lines().next().unwrap();
    assert!(list.contains("/dev/vdb (unreadable)"), "{list}");
    assert!(!list.contains("vda"), "without a medium: {list}");
}

/// /sys shows the disks of the machine, to a container as well.
fn a1_disks_without_a_device_node_are_ignored() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    ext4(&disks.add_partition("vdb", 1, "state"), "state", UUID);
    let uevent = "MAJOR=254\nMINOR=99\nDEVNAME=vda1\nDEVTYPE=partition\nPARTN=1\nPARTNAME=state\n";
    root.file("/sysfs/devices/vda/vda1/uevent", uevent);
    root.link("/sysfs/class/block/vda1", "../../devices/vda/vda1");
    assert_found(&disks, "PARTLABEL=state", "vdb1");
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", "/dev/nfs");
    let said = start.ended().said();
    let list = "dockerlaunch: disks found: /dev/vdb1 (ext4 LABEL=state)\n";
    assert!(said.starts_with(list), "{said}");
}
