//! File systems on several devices: btrfs.

use crate::{
    disk_contents::{SEVERAL, said},
    disks::{Disks, btrfs},
    root::Root,
    state::assert_found,
    util::{Before, Needs, tests},
};

tests![Needs::State;
    a2_devices_of_one_btrfs_count_as_one,
    a2_a_missing_device_is_named,
    a2_too_many_devices_of_one_btrfs_are_refused,
];

/// The ioctl fails on a file in place of btrfs's device, and the error shows which disks the launch wanted to register.
fn registered(disk: &str) -> String {
    format!("dockerlaunch: warning: state disk /dev/{disk}: errno 25\n")
}

fn control() -> Before {
    Before::File {
        at: "/dev/btrfs-control".into(),
        contents: String::new(),
    }
}

fn a2_devices_of_one_btrfs_count_as_one() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["vda", "vdb", "vdc"] {
        btrfs(&disks.add(name, 1 << 20), "state", [7; 16], 3);
    }
    btrfs(&disks.add("vdd", 1 << 20), "other", [8; 16], 1);
    for name in ["LABEL=state", "UUID=07070707070707070707070707070707"] {
        let start = disks.start().before(control());
        let ended = start.variable("DOCKER_LAUNCH_STATE", name).ended();
        let said = ended.said();
        let last = "dockerlaunch: state disk /dev/vda: block device required (ENOTBLK)\n";
        let mut lines: Vec<_> = said
            .strip_suffix(last)
            .unwrap()
            .split_inclusive('\n')
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, ["vda", "vdb", "vdc"].map(registered));
    }
    // A btrfs on a single device needs no registration.
    assert_found(&disks, "LABEL=other", "vdd");
}

/// The launch waits for a missing device as for a missing disk.
fn a2_a_missing_device_is_named() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["vda", "vdc"] {
        btrfs(&disks.add(name, 1 << 20), "state", [7; 16], 3);
    }
    assert_eq!(
        said(&disks, "LABEL=state"),
        "dockerlaunch: waiting for LABEL=state, up to 10 s\n\
        dockerlaunch: disks found: /dev/vda (btrfs LABEL=state), /dev/vdc (btrfs LABEL=state)\n\
        dockerlaunch: warning: of the btrfs on /dev/vda only 2 of 3 devices are there\n\
        dockerlaunch: state disk LABEL=state: devices of this btrfs are missing; connect them, or name the module of their driver in DOCKER_LAUNCH_MODULES\n"
    );
}

fn a2_too_many_devices_of_one_btrfs_are_refused() {
    let root = Root::new();
    let mut disks = Disks::new(&root);
    for name in ["vda", "vdb", "vdc"] {
        btrfs(&disks.add(name, 1 << 20), "state", [7; 16], 2);
    }
    let said = said(&disks, "LABEL=state");
    let last = format!("dockerlaunch: state disk LABEL=state: {SEVERAL}\n");
    assert!(said.ends_with(&last), "{said}");
    assert_eq!(said.matches("(btrfs LABEL=state)").count(), 3, "{said}");
}
