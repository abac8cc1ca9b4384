//! btrfs on several devices: mount(2) takes one of them, so the others are registered with the driver before.

use super::{Candidate, Device, Name, matches, sysfs};
use crate::{disks::superblock::Format, error::Step, launch::Launch, sys};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, open},
    io::Result,
    mount::{MountFlags, mount},
};

/// The file through which devices are registered.
const BTRFS: &CStr = c"/dev/btrfs-control";

/// A file system's UUID, and on how many devices it is.
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

/// Calls `each` with every present device of the file system.
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

/// Registers all present devices of the file system with btrfs.
pub(super) fn register(launch: &Launch<'_>, step: Step, members: &Members) {
    // The driver makes this file. If it is missing, the mount, which fails, makes the kernel load the driver.
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
