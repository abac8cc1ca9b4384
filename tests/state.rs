//! The state disk: by which names it is found, what happens to a blank, a marked or an unknown one, and how long the launch
//! waits for it. Guests test that it is mounted: `cargo qemu test`.

use crate::{
    disks::{Disks, ext4, tool, write_at},
    root::Root,
    util::{Before, Needs, tests},
};
use std::path::Path;

tests![Needs::State;
    by_the_label_and_uuid_of_its_file_system,
    by_the_label_and_guid_of_its_partition,
    by_the_signature_of_an_mbr,
    a_missing_disk_is_named,
    names_that_are_no_disk,
    a_blank_disk_without_a_format,
    a_blank_disk_is_given_a_file_system,
    a_disk_that_is_not_blank_is_left_alone,
    an_unreadable_disk_is_not_blank,
    a_read_only_file_system_is_refused,
    a_file_system_with_errors,
    a_mount_at_the_data_root_stays,
    d1_a_mount_below_the_data_root_stays,
];

pub(crate) const UUID: &str = "6f8b1a52-0a3f-4c8e-9d57-2b7c9e1f4a60";

/// The launch has found this disk: it fails only to mount it, because it is an image file.
pub(crate) fn assert_found(disks: &Disks<'_>, name: &str, disk: &str) {
    let ended = disks.start().variable("DOCKER_LAUNCH_STATE", name).ended();
    let line = format!("dockerlaunch: state disk /dev/{disk}: block device required (ENOTBLK)\n");
    assert_eq!((ended.status, ended.said()), (125, line), "{name}");
}

/// Nothing changed on the disk, and this was logged.
pub(crate) fn assert_left(
    disks: &Disks<'_>,
    disk: &Path,
    name: &str,
    format: Option<&str>,
    line: &str,
) {
    let before = std::fs::read(disk).unwrap();
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", name);
    let start = match format {
        Some(format) => start.variable("DOCKER_LAUNCH_STATE_FORMAT", format),
        None => start,
    };
    let ended = start.ended();
    let line = format!("dockerlaunch: state disk {line}\n");
    assert_eq!((ended.status, ended.said()), (125, line), "{name}");
    assert!(std::fs::read(disk).unwrap() == before);
}

fn by_the_label_and_uuid_of_its_file_system() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    disks.add("vda", 1 << 20);
    ext4(&disks.add("vdb", 4 << 20), "sixteen_letters_", UUID);
    ext4(
        &disks.add("vdc", 4 << 20),
        "a state",
        "00000000-0000-4000-8000-000000000001",
    );
    assert_found(&disks, "LABEL=sixteen_letters_", "vdb");
    assert_found(&disks, "LABEL=a state", "vdc");
    assert_found(&disks, &format!("UUID={UUID}"), "vdb");
    assert_found(&disks, &format!("UUID={}", UUID.to_uppercase()), "vdb");
    assert_found(&disks, "UUID=00000000-0000-4000-8000-000000000001", "vdc");
}

fn by_the_label_and_guid_of_its_partition() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add("vda", 16 << 20);
    let table = format!(
        "label: gpt\nsize=2MiB\nsize=2MiB, uuid={UUID}, name=\"state\"\nsize=2MiB, name=\"other\"\n"
    );
    let quiet = ["-q", "--no-reread", "--no-tell-kernel"];
    tool(
        "sfdisk",
        &[&quiet[..], &[disk.to_str().unwrap()]].concat(),
        &table,
    );
    for (number, name) in [(1, ""), (2, "state"), (3, "other")] {
        ext4(&disks.add_partition("vda", number, name), "x", UUID);
    }
    assert_found(&disks, "PARTLABEL=state", "vda2");
    assert_found(&disks, &format!("PARTUUID={UUID}"), "vda2");
    assert_found(&disks, &format!("PARTUUID={}", UUID.to_uppercase()), "vda2");
}

fn by_the_signature_of_an_mbr() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for (name, id) in [("vda", "0x1234abcd"), ("vdb", "0x00000001")] {
        let disk = disks.add(name, 16 << 20);
        let table = format!("label: dos\nlabel-id: {id}\nsize=2MiB\nsize=2MiB\n");
        let quiet = ["-q", "--no-reread", "--no-tell-kernel"];
        tool(
            "sfdisk",
            &[&quiet[..], &[disk.to_str().unwrap()]].concat(),
            &table,
        );
        for number in [1, 2] {
            ext4(&disks.add_partition(name, number, ""), "x", UUID);
        }
    }
    assert_found(&disks, "PARTUUID=1234abcd-02", "vda2");
    assert_found(&disks, "PARTUUID=1234ABCD-01", "vda1");
    assert_found(&disks, "PARTUUID=00000001-02", "vdb2");
}

/// This test takes ten seconds, the time that a disk may take to appear.
fn a_missing_disk_is_named() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    ext4(&disks.add("vda", 4 << 20), "other", UUID);
    let start = disks.start();
    let ended = start.variable("DOCKER_LAUNCH_STATE", "LABEL=state").ended();
    assert_eq!(
        ended.said(),
        "dockerlaunch: waiting for LABEL=state, up to 10 s\n\
        dockerlaunch: disks found: /dev/vda (ext4 LABEL=other)\n\
        dockerlaunch: state disk LABEL=state: no such disk after 10 s; check its name, or add its driver's module to DOCKER_LAUNCH_MODULES\n"
    );
    assert_eq!(ended.status, 125);
}

fn names_that_are_no_disk() {
    let root = Root::new();
    let disks = Disks::new(&root);
    for (name, why) in [
        ("/dev/null", "block device required (ENOTBLK)"),
        ("/dev/null/x", "not a directory (ENOTDIR)"),
    ] {
        let ended = disks.start().variable("DOCKER_LAUNCH_STATE", name).ended();
        let line = format!("dockerlaunch: state disk {name}: {why}\n");
        assert_eq!((ended.status, ended.said()), (125, line));
    }
}

fn a_blank_disk_without_a_format() {
    let root = Root::new();
    root.stand_in("/usr/sbin/mkfs.ext4");
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "blank");
    let line = "/dev/vda1: the disk is blank; set DOCKER_LAUNCH_STATE_FORMAT=ext4 to format it";
    assert_left(&disks, &disk, "PARTLABEL=blank", None, line);
    assert!(!root.path("/mkfs.ext4.words").exists());
}

fn a_blank_disk_is_given_a_file_system() {
    for format in ["ext4", "xfs", "btrfs"] {
        let root = Root::new();
        let mut disks = Disks::new(&root);
        let disk = disks.add_partition("vda", 1, "blank");
        let making = format!(
            "dockerlaunch: the state disk /dev/vda1 is blank: making a new {format} file system on it"
        );
        let start = || {
            let start = disks.start();
            let start = start.variable("DOCKER_LAUNCH_STATE", "PARTLABEL=blank");
            start.variable("DOCKER_LAUNCH_STATE_FORMAT", format)
        };
        let line = "the image has no such program: install e2fsprogs, xfsprogs or btrfs-progs";
        let ended = start().ended();
        let expected = format!("{making}\ndockerlaunch: state disk mkfs.{format}: {line}\n");
        assert_eq!(ended.said(), expected);

        root.stand_in(&format!("/usr/sbin/mkfs.{format}"));
        let ended = start().ended();
        let expected = format!(
            "{making}\ndockerlaunch: state disk /dev/vda1: block device required (ENOTBLK)\n"
        );
        assert_eq!(ended.said(), expected);
        let words = format!("mkfs.{format}\n-q\n/dev/vda1");
        assert_eq!(root.read(&format!("/mkfs.{format}.words")), words);

        root.file(&format!("/mkfs.{format}.status"), "1");
        let ended = start().ended();
        let line = "it failed: see its output above";
        let expected = format!("{making}\ndockerlaunch: state disk mkfs.{format}: {line}\n");
        assert_eq!((ended.status, ended.said()), (125, expected));
        assert!(std::fs::read(disk).unwrap().iter().all(|byte| *byte == 0));
    }
}

/// One byte anywhere at either end is enough.
fn a_disk_that_is_not_blank_is_left_alone() {
    let root = Root::new();
    root.stand_in("/usr/sbin/mkfs.ext4");
    for place in [0, 510, 4096, (2 << 20) - 1, 14 << 20, (16 << 20) - 1] {
        let mut disks = Disks::new(&root);
        let disk = disks.add_partition("vda", 1, "strange");
        std::fs::File::options()
            .write(true)
            .open(&disk)
            .unwrap()
            .set_len(16 << 20)
            .unwrap();
        write_at(&disk, place, b"x");
        let line = "/dev/vda1: its contents are not ext4, xfs or btrfs, and were left alone; if they may be lost, wipe it: blkdiscard, or dd from /dev/zero";
        assert_left(&disks, &disk, "PARTLABEL=strange", Some("ext4"), line);
        assert!(!root.path("/mkfs.ext4.words").exists());
        std::fs::remove_dir_all(root.path("/sysfs")).unwrap();
    }
}

/// A directory in place of the disk can be opened but not read.
fn an_unreadable_disk_is_not_blank() {
    let root = Root::new();
    root.stand_in("/usr/sbin/mkfs.ext4");
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "broken");
    let start = disks.start();
    let broken = Before::bind("/proc", "/dev/broken");
    std::fs::write(
        root.path("/sysfs/devices/vda/vda1/uevent"),
        "DEVNAME=broken\nPARTN=1\nPARTNAME=broken\n",
    )
    .unwrap();
    let ended = start
        .before(Before::Directory {
            at: "/dev/broken".into(),
        })
        .before(broken)
        .variable("DOCKER_LAUNCH_STATE", "PARTLABEL=broken")
        .variable("DOCKER_LAUNCH_STATE_FORMAT", "ext4")
        .ended();
    let line = "dockerlaunch: state disk /dev/broken: is a directory (EISDIR)\n";
    assert_eq!((ended.status, ended.said().as_str()), (125, line));
    assert!(!root.path("/mkfs.ext4.words").exists());
    // A drive without a medium has no size.
    std::fs::write(&disk, "").unwrap();
    std::fs::write(
        root.path("/sysfs/devices/vda/vda1/uevent"),
        "DEVNAME=vda1\nPARTN=1\nPARTNAME=broken\n",
    )
    .unwrap();
    let line = "/dev/vda1: no such device or address (ENXIO)";
    assert_left(&disks, &disk, "PARTLABEL=broken", Some("ext4"), line);
}

fn a_read_only_file_system_is_refused() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "image");
    for (place, magic) in [(0, &b"hsqs"[..]), (1024, &[0xe2, 0xe1, 0xf5, 0xe0])] {
        std::fs::write(&disk, vec![0; 4 << 20]).unwrap();
        write_at(&disk, place, magic);
        let line =
            "/dev/vda1: its file system cannot be written: Docker's state needs ext4, xfs or btrfs";
        assert_left(&disks, &disk, "PARTLABEL=image", Some("ext4"), line);
    }
}

fn a_file_system_with_errors() {
    const S_STATE: u64 = 1024 + 58;
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add("vda", 4 << 20);
    ext4(&disk, "state", UUID);
    let said = || {
        let start = disks.start();
        let ended = start.variable("DOCKER_LAUNCH_STATE", "LABEL=state").ended();
        let said = ended.said();
        let last = "dockerlaunch: state disk /dev/vda: block device required (ENOTBLK)\n";
        said.strip_suffix(last).unwrap().to_string()
    };
    assert_eq!(said(), "");
    write_at(&disk, S_STATE, &[3, 0]);
    let marked = |what: &str| {
        format!("dockerlaunch: warning: /dev/vda is marked: its file system had errors; {what}\n")
    };
    assert_eq!(said(), marked("the image has no e2fsck to repair it"));
    root.stand_in("/usr/sbin/e2fsck");
    for (status, what) in [
        ("0", "e2fsck has repaired it"),
        ("1", "e2fsck has repaired it"),
        ("4", "e2fsck could not repair it: run it by hand"),
        ("8", "e2fsck could not repair it: run it by hand"),
    ] {
        root.file("/e2fsck.status", status);
        assert_eq!(said(), marked(what), "{status}");
        assert_eq!(root.read("/e2fsck.words"), "e2fsck\n-p\n/dev/vda");
    }
}

/// A second launch finds the disk mounted, however its path is spelled.
fn a_mount_at_the_data_root_stays() {
    let root = Root::new();
    root.directory("/srv/docker").link("/data", "srv");
    let mut disks = Disks::new(&root);
    ext4(&disks.add("vda", 4 << 20), "state", UUID);
    for data_root in ["/srv/docker", "/srv/docker/", "/data/docker"] {
        let start = disks.start().before(Before::mount("tmpfs", "/srv/docker"));
        let start = start.variable("DOCKER_LAUNCH_STATE", "LABEL=state");
        let daemon = start.words(["--data-root", data_root]).running();
        let line = format!(
            "dockerlaunch: {data_root} is mounted already: the state disk is not mounted\n"
        );
        assert!(daemon.log().contains(&line), "{}", daemon.log());
        let mounts = daemon.mounts();
        let there = mounts.iter().filter(|mount| mount.at == "/srv/docker");
        assert_eq!(there.count(), 1);
    }
}

/// A volume of the outer engine: a disk mounted over it would hide it.
fn d1_a_mount_below_the_data_root_stays() {
    let root = Root::new();
    root.directory("/var/lib/docker/volumes/cache");
    let mut disks = Disks::new(&root);
    ext4(&disks.add("vda", 4 << 20), "state", UUID);
    for at in ["/var/lib/docker/volumes", "/var/lib/docker/volumes/cache"] {
        let start = disks.start().before(Before::mount("tmpfs", at));
        let daemon = start
            .variable("DOCKER_LAUNCH_STATE", "LABEL=state")
            .running();
        let line =
            "dockerlaunch: /var/lib/docker has a mount below it: the state disk is not mounted\n";
        assert!(daemon.log().contains(line), "{}", daemon.log());
        assert_eq!(daemon.mount_at(at).kind, "tmpfs");
        assert!(
            !daemon
                .mounts()
                .iter()
                .any(|mount| mount.at == "/var/lib/docker")
        );
    }
}
