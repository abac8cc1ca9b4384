//! What counts as blank before a file system is made: no disk that cannot be read, none that is too small, none with a copy of a
//! header that was wiped.

use crate::{
    disks::{Disks, ext4, tool, write_at},
    root::Root,
    state::assert_left,
    util::{Before, Needs, tests},
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

tests![Needs::State;
    g9_a_disk_with_read_errors_is_not_blank,
    g9_below_four_mib_both_ends_overlap,
    g9_a_disk_with_a_backup_header_is_not_blank,
    g9_an_interrupted_mkfs_is_not_blank,
];

const UUID: &str = "6f8b1a52-0a3f-4c8e-9d57-2b7c9e1f4a61";
const LEFT: &str = "its contents are not ext4, xfs or btrfs, and were left alone; if they may be lost, wipe it: blkdiscard, or dd from /dev/zero";

/// The same for a large disk: its modification time shows that it was not written.
fn assert_kept(disks: &Disks<'_>, disk: &Path, name: &str, line: &str) {
    let changed = || std::fs::metadata(disk).unwrap().modified().unwrap();
    let before = changed();
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", name);
    let ended = start.variable("DOCKER_LAUNCH_STATE_FORMAT", "ext4").ended();
    let line = format!("dockerlaunch: state disk {line}\n");
    assert_eq!((ended.status, ended.said()), (125, line), "{name}");
    assert_eq!(changed(), before);
}

/// A root with a stand-in for mkfs that records whether it runs.
fn root() -> Root {
    let root = Root::new();
    root.stand_in("/usr/sbin/mkfs.ext4");
    root
}

fn is_made(root: &Root) -> bool {
    root.path("/mkfs.ext4.words").exists()
}

fn resize(disk: &Path, bytes: u64) {
    let file = File::options().write(true).open(disk).unwrap();
    file.set_len(0).unwrap();
    file.set_len(bytes).unwrap();
}

/// Zeros over the first bytes, as a careless dd leaves them.
fn wipe(disk: &Path, bytes: u64) {
    let mut file = File::options().write(true).open(disk).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let bytes = usize::try_from(bytes).unwrap();
    file.write_all(&vec![0; bytes]).unwrap();
}

/// The memory of PID 1 replaces the disk: reading its first page fails with EIO.
fn g9_a_disk_with_read_errors_is_not_blank() {
    let root = root();
    let mut disks = Disks::new(&root);
    disks.add_partition("vda", 1, "broken");
    let start = disks
        .start()
        .before(Before::bind("/proc/self/mem", "/dev/vda1"))
        .variable("DOCKER_LAUNCH_STATE", "PARTLABEL=broken")
        .variable("DOCKER_LAUNCH_STATE_FORMAT", "ext4");
    let ended = start.ended();
    let line = "dockerlaunch: state disk /dev/vda1: input/output error (EIO)\n";
    assert_eq!((ended.status, ended.said().as_str()), (125, line));
    assert!(!is_made(&root));
}

fn g9_below_four_mib_both_ends_overlap() {
    let root = root();
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "small");
    for (size, place) in [
        (512, 511),
        (4096, 0),
        (1 << 20, (1 << 20) - 1),
        (3 << 20, 4096),
        (3 << 20, (3 << 20) - 1),
        ((4 << 20) - 512, 2 << 20),
        ((4 << 20) + 512, (4 << 20) + 511),
    ] {
        resize(&disk, size);
        write_at(&disk, place, b"x");
        let line = format!("/dev/vda1: {LEFT}");
        assert_left(&disks, &disk, "PARTLABEL=small", Some("ext4"), &line);
        assert!(!is_made(&root), "{size}");

        resize(&disk, size);
        let line = "/dev/vda1: the disk is blank; set DOCKER_LAUNCH_STATE_FORMAT=ext4 to format it";
        assert_left(&disks, &disk, "PARTLABEL=small", None, line);
    }
}

/// `e2fsck -b` could repair the file system from the copy.
fn g9_a_disk_with_a_backup_header_is_not_blank() {
    let root = root();
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "wiped");
    let line = format!("/dev/vda1: {LEFT}");
    for (size, block) in [(64, "1024"), (128, "2048"), (256, "4096")] {
        resize(&disk, size << 20);
        let words = ["-q", "-F", "-b", block, "-U", UUID, disk.to_str().unwrap()];
        tool("mkfs.ext4", &words, "");
        // Everything in the first group, so that only the copies in other groups are left.
        wipe(&disk, 8 << 20);
        assert_kept(&disks, &disk, "PARTLABEL=wiped", &line);
    }
    // The second superblock of btrfs, the second group of xfs, the second header of LUKS2, md and GPT at the end.
    for (size, place) in [
        (256, 64 << 20),
        (512, 128 << 20),
        (300, 75 << 20),
        (16, 4 << 20),
        (16, (16 << 20) - 65536),
        (16, (16 << 20) - 512),
    ] {
        resize(&disk, size << 20);
        write_at(&disk, place, b"_BHRfS_M");
        assert_kept(&disks, &disk, "PARTLABEL=wiped", &line);
    }
    assert!(!is_made(&root));
}

/// mke2fs writes the first superblock last: until then only its tables are there.
fn g9_an_interrupted_mkfs_is_not_blank() {
    const TABLES: usize = 2 << 20;
    let root = root();
    let mut disks = Disks::new(&root);
    let disk = disks.add_partition("vda", 1, "half");
    resize(&disk, 256 << 20);
    ext4(&disk, "half", UUID);
    let mut tables = vec![0; TABLES];
    let mut file = File::open(&disk).unwrap();
    file.read_exact(&mut tables).unwrap();
    resize(&disk, 256 << 20);
    write_at(&disk, 4096, &tables[4096..]);
    let line = format!("/dev/vda1: {LEFT}");
    assert_kept(&disks, &disk, "PARTLABEL=half", &line);
    assert!(!is_made(&root));
}
