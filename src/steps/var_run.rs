//! /var/run is /run. Where an image has a directory there, /run is bound over it: else pid files and sockets in it would
//! outlive a power cut.
//!
//! Where somebody has mounted something at /var/run, above it or below it, it stays as it is: an outer engine mounts volumes
//! there (/var/run/secrets of Kubernetes, a volume for docker.sock), and clients look into them.

use crate::{error::Step, kernel::mounted, launch::Launch};
use core::ffi::CStr;
use rustix::{
    fs::{AtFlags, CWD, FileType, statat},
    io::{Errno, Result},
    mount::mount_bind,
};

const RUN: &CStr = c"/run";
const VAR_RUN: &CStr = c"/var/run";

/// Before /var may be covered by a tmpfs, which takes along what is mounted below it.
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
        launch
            .log
            .debug(&[b"/var/run is not /run: somebody has mounted something there, which stays"]);
    }
    Ok(free)
}

/// Where clients look for the engine's socket: /var/run. It is named by its shorter path where that is the same.
pub(crate) fn socket() -> &'static CStr {
    match mounted::is_same(RUN, VAR_RUN) {
        Ok(false) => c"/var/run/docker.sock",
        _ => c"/run/docker.sock",
    }
}
