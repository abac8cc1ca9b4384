//! The engine of an appliance: a read-only root, reached through an initramfs; a state disk; an address from a DHCP server; its own
//! bridge. One machine has three lives; in the first one dockerd starts its own containerd.

use super::builder::{Change, Group, Large, Life, Root, Scenario, Suite, large};
use crate::{
    checks::{
        engine::{BACK, BACK_AFTER_CUT, NEW},
        expect::{
            End,
            Expect::{self, *},
        },
    },
    disks::{Disk, ROOT, STATE, Table},
    image::Format,
};

const OFF: &[Expect] = &[Ends(End::PowerOff), Clean(STATE), Unchanged(ROOT)];

/// The boot loader's command line.
const LINE: &[&str] = &[
    "root=/dev/vda",
    "ro",
    "ip=dhcp",
    "DOCKER_LAUNCH_MODULES=virtio_blk,virtio_net,erofs",
    "DOCKER_LAUNCH_STATE=/dev/vdb",
    "DOCKER_LAUNCH_STATE_FORMAT=ext4",
];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[Scenario {
    words: &["-b", "docker9", "--bip", "172.31.9.1/24"],
    ..large(
        "appliance-engine",
        "containers and files survive a shutdown, and a power cut during writes",
        Suite::Trixie,
        Root::Switch(Format::Erofs, Table::None),
        LINE,
        Large {
            cgroup: "2",
            image: &[] as &[Change],
            groups: Group::APPLIANCE,
            address: &[],
            disks: &[Disk::BLANK],
            checks: &[NEW],
            end: &[OFF],
            prerequisites: false,
            clients: false,
            inner: &[],
            kills: 0,
            // containerd's data of the first life, made by the one that dockerd starts, serves the one that PID 1 starts.
            first: &["DOCKER_LAUNCH_CONTAINERD=daemon"],
            lives: &[
                Life {
                    name: "again:",
                    append: &[],
                    checks: &[BACK],
                    end: &[],
                },
                Life {
                    name: "after-cut:",
                    append: &[],
                    checks: &[BACK_AFTER_CUT],
                    end: &[OFF],
                },
            ],
        },
    )
}];
