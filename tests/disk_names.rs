//! The other names of disks: those of the kernel's `root=` and those of udev's links. `root=` and the state disk share the
//! code behind the names. Device numbers are only for `root=`; guests test them.

use crate::{
    disks::{Disks, ext4, tool},
    root::Root,
    state::{UUID, assert_found},
    util::{Needs, tests},
};

tests![Needs::State;
    f5_names_of_udev_links_work_without_udev,
    f5_spaces_in_labels_may_be_escaped,
    f5_partuuid_with_an_offset,
    f5_unsupported_names_are_refused_without_a_wait,
    f5_a_truncated_list_of_disks_says_so,
];

fn partitioned<'r>(root: &'r Root, label: &str) -> Disks<'r> {
    let mut disks = Disks::new(root);
    let disk = disks.add("vda", 16 << 20);
    let table = format!("label: {label}\nsize=2MiB\nsize=2MiB\nsize=2MiB\n");
    let words = ["-q", "--no-reread", "--no-tell-kernel"];
    let words = [&words[..], &[disk.to_str().unwrap()]].concat();
    tool("sfdisk", &words, &table);
    for number in [1, 2, 3] {
        let name = format!("my part/{number}");
        ext4(&disks.add_partition("vda", number, &name), "x", UUID);
    }
    disks
}

fn f5_names_of_udev_links_work_without_udev() {
    let root = Root::new();
    let mut disks = partitioned(&root, "dos\nlabel-id: 0x1234abcd");
    ext4(
        &disks.add("vdb", 4 << 20),
        "my state",
        &UUID.replace('6', "7"),
    );
    for (name, disk) in [
        ("/dev/disk/by-label/my\\x20state", "vdb"),
        (
            "/dev/disk/by-uuid/7f8b1a52-0a3f-4c8e-9d57-2b7c9e1f4a70",
            "vdb",
        ),
        ("/dev/disk/by-partlabel/my\\x20part\\x2f2", "vda2"),
        ("/dev/disk/by-partuuid/1234abcd-03", "vda3"),
    ] {
        assert_found(&disks, name, disk);
    }
}

fn f5_spaces_in_labels_may_be_escaped() {
    let root = Root::new();
    let mut disks = partitioned(&root, "gpt");
    let uuid = |last: u32| format!("00000000-0000-4000-8000-00000000000{last}");
    ext4(&disks.add("vdb", 4 << 20), "my root", &uuid(1));
    ext4(&disks.add("vdc", 4 << 20), r"a\x20b", &uuid(2));
    ext4(&disks.add("vdd", 4 << 20), r"a\b", &uuid(3));
    for (name, disk) in [
        (r"LABEL=my\x20root", "vdb"),
        ("LABEL=my root", "vdb"),
        (r"LABEL=a\x20b", "vdc"),
        (r"LABEL=a\x5cb", "vdd"),
        (r"LABEL=a\b", "vdd"),
        (r"PARTLABEL=my\x20part/3", "vda3"),
    ] {
        assert_found(&disks, name, disk);
    }
}

fn f5_partuuid_with_an_offset() {
    let root = Root::new();
    let disks = partitioned(&root, "dos\nlabel-id: 0x1234abcd");
    for (name, disk) in [
        ("PARTUUID=1234abcd-01/PARTNROFF=1", "vda2"),
        ("PARTUUID=1234abcd-01/PARTNROFF=+2", "vda3"),
        ("PARTUUID=1234abcd-03/PARTNROFF=-1", "vda2"),
        ("PARTUUID=1234abcd-02/PARTNROFF=0", "vda2"),
    ] {
        assert_found(&disks, name, disk);
    }
    let root = Root::new();
    let mut disks = Disks::new(&root);
    let disk = disks.add("vda", 16 << 20);
    let words = [
        "-q",
        "--no-reread",
        "--no-tell-kernel",
        disk.to_str().unwrap(),
    ];
    let table = format!("label: gpt\nsize=2MiB, uuid={UUID}\nsize=2MiB\n");
    tool("sfdisk", &words, &table);
    for number in [1, 2] {
        ext4(&disks.add_partition("vda", number, ""), "x", UUID);
    }
    assert_found(&disks, &format!("PARTUUID={UUID}/PARTNROFF=1"), "vda2");
}

/// The refusal comes immediately, and the line says which names exist.
fn f5_unsupported_names_are_refused_without_a_wait() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    ext4(&disks.add("vda", 4 << 20), "state", UUID);
    for name in [
        "/dev/disk/by-id/virtio-state",
        "/dev/disk/by-path/pci-0000:00:04.0",
        "/dev/nfs",
        "PARTUUID=1234abcd-01/PARTNROFF=x",
    ] {
        let ended = disks.start().variable("DOCKER_LAUNCH_STATE", name).ended();
        let expected = format!(
            "dockerlaunch: disks found: /dev/vda (ext4 LABEL=state)\n\
            dockerlaunch: state disk {name}: this name of a disk is not supported; use /dev/…, LABEL=, UUID=, PARTLABEL= or PARTUUID=\n"
        );
        assert_eq!((ended.status, ended.said()), (125, expected));
    }
    let root = Root::new();
    let disks = Disks::new(&root);
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", "/dev/nfs");
    let said = start.ended().said();
    assert!(
        said.starts_with("dockerlaunch: disks found: none\n"),
        "{said}"
    );
}

fn f5_a_truncated_list_of_disks_says_so() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for number in 10..60 {
        disks.add(&format!("sd{number}"), 1 << 20);
    }
    let start = disks.start().variable("DOCKER_LAUNCH_STATE", "/dev/nfs");
    let said = start.ended().said();
    let list = said.lines().next().unwrap();
    assert!(list.ends_with("(nothing known), …"), "{list}");
    assert!(list.len() < 1000, "one record of the kernel's log: {list}");
}
