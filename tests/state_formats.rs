//! The state disk with other file systems than ext4, made by their own mkfs. Guests test as what they are mounted.

use crate::{
    disks::{Disks, tool},
    root::Root,
    state::assert_found,
    util::{Needs, tests},
};

tests![Needs::FileSystems;
    xfs_by_its_label_and_uuid,
    btrfs_by_its_label_and_uuid,
    a_read_only_file_system_is_refused,
];

const UUID: &str = "9a1e6c54-77d2-4b0e-a8f3-5d2c0b7e8f19";

/// Makes a file system on a second disk, and finds it by its label and by its UUID.
fn assert_found_by_both(bytes: u64, mkfs: &str, words: &[&str], label: &str) {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    disks.add("vda", 1 << 20);
    let disk = disks.add("vdb", bytes);
    let words = [words, &["-q", "-L", label, disk.to_str().unwrap()]].concat();
    tool(mkfs, &words, "");
    assert_found(&disks, &format!("LABEL={label}"), "vdb");
    assert_found(&disks, &format!("UUID={UUID}"), "vdb");
}

fn xfs_by_its_label_and_uuid() {
    let id = format!("uuid={UUID}");
    // A recent mkfs.xfs makes no smaller file system.
    assert_found_by_both(512 << 20, "mkfs.xfs", &["-m", &id], "twelve_bytes");
}

fn btrfs_by_its_label_and_uuid() {
    let label = "a longer label, with blanks";
    assert_found_by_both(256 << 20, "mkfs.btrfs", &["-U", UUID], label);
}

fn a_read_only_file_system_is_refused() {
    let root = Root::new();
    root.file("/tree/file", "contents");
    let (tree, format) = (root.path("/tree"), "DOCKER_LAUNCH_STATE_FORMAT");
    for mkfs in ["mkfs.erofs", "mksquashfs"] {
        let mut disks = Disks::new(&root);
        let disk = disks.add_partition("vda", 1, "image");
        std::fs::remove_file(&disk).unwrap();
        let (disk, tree) = (disk.to_str().unwrap(), tree.to_str().unwrap());
        let words = match mkfs {
            "mkfs.erofs" => vec!["--quiet", disk, tree],
            _ => vec![tree, disk, "-quiet", "-no-progress"],
        };
        tool(mkfs, &words, "");
        let start = disks.start().variable(format, "ext4");
        let ended = start
            .variable("DOCKER_LAUNCH_STATE", "PARTLABEL=image")
            .ended();
        let line = "dockerlaunch: state disk /dev/vda1: its file system cannot be written: Docker's state needs ext4, xfs or btrfs\n";
        assert_eq!((ended.status, ended.said().as_str()), (125, line), "{mkfs}");
        std::fs::remove_dir_all(root.path("/sysfs")).unwrap();
    }
}
