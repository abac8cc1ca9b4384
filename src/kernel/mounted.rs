//! What is mounted at a place or below it. The kernel resolves the links of the path; mountinfo lists the mounts below. Every
//! step that mounts something checks here first, so that it covers nothing.

use crate::{fs, kernel::mountinfo::Mount};
use core::ffi::CStr;
use rustix::{
    fs::{AtFlags, CWD, FileType, StatxFlags, statat, statx},
    io::{Errno, Result},
};

/// The mount that a place is on, links followed (statx(2), stx_mnt_id). A kernel substitute may lack this number: then the
/// device of the file system.
fn mount_id(place: &CStr) -> Result<[u64; 3]> {
    // Do not wait for a network file system whose server does not answer.
    let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let stat = statx(CWD, place, flags, StatxFlags::MNT_ID)?;
    Ok(match stat.stx_mask & StatxFlags::MNT_ID.bits() {
        0 => [0, stat.stx_dev_major.into(), stat.stx_dev_minor.into()],
        _ => [stat.stx_mnt_id, 0, 0],
    })
}

/// Whether the place is on the root's own mount: nothing is mounted at it or above it.
pub(crate) fn is_of_root(place: &CStr) -> Result<bool> {
    Ok(mount_id(place)? == mount_id(c"/")?)
}

/// Whether something is mounted at the place or below it, links followed.
pub(crate) fn holds_mounts(place: &CStr) -> Result<bool> {
    let place = match fs::real_path(place) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        place => place?,
    };
    let mut holds = false;
    fs::lines(c"/proc/self/mountinfo", &mut |line| {
        holds |= Mount::parse(line).is_some_and(|mount| mount.is_within(place.as_bytes()));
    })?;
    Ok(holds)
}

/// Whether the place is a link to a directory with a mount at it or below it.
pub(crate) fn leads_to_mounts(place: &CStr) -> Result<bool> {
    let kind = fs::lstat(CWD, place)?.map(|stat| FileType::from_raw_mode(stat.st_mode));
    Ok(kind == Some(FileType::Symlink) && holds_mounts(place)?)
}

/// Whether both paths lead to the same file.
pub(crate) fn is_same(one: &CStr, other: &CStr) -> Result<bool> {
    let stat = |place| statat(CWD, place, AtFlags::empty());
    let (one, other) = (stat(one)?, stat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}
