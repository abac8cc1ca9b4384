//! Which cgroup layout is mounted at /sys/fs/cgroup. The launch and --check use the same code, and it decides as dockerd does.

use crate::{fs, kernel::mountinfo::Mount, text::list};
use core::ffi::CStr;
use rustix::{
    fs::statfs,
    io::{Errno, Result},
};

pub(crate) const ROOT: &CStr = c"/sys/fs/cgroup";

/// Magic numbers of statfs(2): CGROUP2_SUPER_MAGIC and SYSFS_MAGIC.
const CGROUP2: i64 = 0x6367_7270;
const SYSFS: i64 = 0x6265_6572;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// No hierarchy is mounted.
    Nothing,
    V2,
    V1,
    /// v1, with v2 mounted below it.
    Hybrid,
    /// v1 without the controller devices, for example only name=systemd. dockerd does not start there.
    WithoutDevices,
}

impl Layout {
    /// Finds the layout that is mounted.
    pub(crate) fn find() -> Result<Self> {
        match statfs(ROOT).map(|root| root.f_type) {
            Ok(CGROUP2) => return Ok(Self::V2),
            Ok(SYSFS) | Err(Errno::NOENT) => return Ok(Self::Nothing),
            other => other?,
        };
        let (mut v1, mut devices, mut unified) = (false, false, false);
        fs::lines(c"/proc/self/mountinfo", &mut |line| {
            let mount = Mount::parse(line).filter(|mount| mount.is_within(ROOT.to_bytes()));
            let Some(mount) = mount else { return };
            unified |= mount.kind == b"cgroup2";
            if mount.kind == b"cgroup" {
                v1 = true;
                devices |= list(mount.options).any(|option| option == b"devices");
            }
        })?;
        Ok(match (v1, devices, unified) {
            (false, ..) => Self::Nothing,
            (true, false, _) => Self::WithoutDevices,
            (true, true, true) => Self::Hybrid,
            (true, true, false) => Self::V1,
        })
    }
}
