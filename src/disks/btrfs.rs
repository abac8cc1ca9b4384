//! A file system that lies on several devices: btrfs. mount(2) names one of them; of the others btrfs has to be told before.

use super::{Candidate, Device, Name, matches, sysfs};
use crate::{disks::superblock::Format, error::Step, launch::Launch, sys};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, open},
    io::Result,
    mount::{MountFlags, mount},
};

/// How btrfs learns of its devices.
const BTRFS: &CStr = c"/dev/btrfs-control";

/// A file system that lies on several devices: its UUID, and how many they are.
pub(super) struct Members {
    pub(super) uuid: [u8; 16],
    pub(super) count: u64,
}

impl Members {
    pub(super) fn of(format: &Format, block: &[u8]) -> Self {
        let uuid = format.uuid(block).first_chunk();
        Self {
            uuid: uuid.copied().unwrap_or_default(),
            count: format.devices(block),
        }
    }
}

/// Calls `each` with every device of the file system that is there.
pub(super) fn each_member(members: &Members, each: &mut dyn FnMut(&Device)) -> Result<()> {
    let mut candidate = Candidate::NONE;
    sysfs::each(&mut |entry| {
        if matches(entry, &Name::All, &mut candidate)
            && candidate.members.count > 1
            && candidate.members.uuid == members.uuid
        {
            each(&candidate.device);
        }
    })
}

/// Tells btrfs of all devices, which mount(2) does not: it names one.
pub(super) fn register(launch: &Launch<'_>, step: Step, members: &Members) {
    // The device appears with the driver, and the kernel loads the driver when its name is mounted: here nothing.
    let control = open_control().or_else(|_| {
        let _ = mount(c"", c"/", c"btrfs", MountFlags::RDONLY, None);
        open_control()
    });
    let warn = |path: &CStr, outcome: Result<()>| {
        if let Err(errno) = outcome {
            launch.warn_of(step, path.to_bytes(), errno);
        }
    };
    match control {
        Ok(control) => {
            let _ = each_member(members, &mut |device| {
                let path = device.path.as_c_str();
                warn(path, sys::register_btrfs(control.as_fd(), path));
            });
        }
        Err(errno) => warn(BTRFS, Err(errno)),
    }
}

fn open_control() -> Result<OwnedFd> {
    open(BTRFS, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
