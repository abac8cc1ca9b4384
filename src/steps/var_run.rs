//! Makes /var/run the same as /run. If the image has a directory there, /run is bound over it: otherwise pid files and
//! sockets in it would survive a power cut.
//!
//! If something is mounted at /var/run, above it or below it, it stays as it is: an outer engine mounts volumes there
//! (/var/run/secrets of Kubernetes, a volume for docker.sock), and clients use them.

use crate::{error::Step, kernel::mounted, launch::Launch};
use core::ffi::CStr;
use rustix::{
    fs::{AtFlags, CWD, FileType, statat},
    io::{Errno, Result},
    mount::mount_bind,
};

const RUN: &CStr = c"/run";
const VAR_RUN: &CStr = c"/var/run";

/// Must run before a tmpfs covers /var: the cover carries over the mounts below it.
pub(crate) fn bind(launch: &Launch<'_>) {
    let bound = is_to_be_bound(launch).and_then(|bind| {
        if bind {
            mount_bind(RUN, VAR_RUN)?;
        }
        Ok(())
    });
    if let Err(errno) = bound {
        launch.warn_of(Step::Layout, VAR_RUN.to_bytes(), errno);
    }
}

fn is_to_be_bound(launch: &Launch<'_>) -> Result<bool> {
    let there = match statat(CWD, VAR_RUN, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        there => there?,
    };
    if FileType::from_raw_mode(there.st_mode) != FileType::Directory
        || mounted::is_same(RUN, VAR_RUN)?
    {
        return Ok(false);
    }
    let free = mounted::is_of_root(VAR_RUN)? && !mounted::holds_mounts(VAR_RUN)?;
    if !free {
        launch.log.debug(
            "/var/run is not /run: something is mounted there, and stays",
            &[],
        );
    }
    Ok(free)
}

/// The engine's socket. Clients look in /var/run; the shorter path is used if it is the same directory.
pub(crate) fn socket() -> &'static CStr {
    match mounted::is_same(RUN, VAR_RUN) {
        Ok(false) => c"/var/run/docker.sock",
        _ => c"/run/docker.sock",
    }
}
