//! What is mounted where, asked for a place instead of a path: the kernel follows the links, and mountinfo is read for what
//! is mounted below. Whoever mounts something of their own asks here first, so that nothing is covered.

use crate::{fs, kernel::mountinfo::Mount};
use core::ffi::CStr;
use rustix::{
    fs::{AtFlags, CWD, FileType, StatxFlags, statat, statx},
    io::{Errno, Result},
};

/// The mount that a place lies on, links followed (statx(2), stx_mnt_id): a number of this mount namespace. Where something
/// in place of a kernel does not tell it, the device of the file system.
fn mount_id(place: &CStr) -> Result<[u64; 3]> {
    // A server of the file system that does not answer is not waited for.
    let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let stat = statx(CWD, place, flags, StatxFlags::MNT_ID)?;
    Ok(match stat.stx_mask & StatxFlags::MNT_ID.bits() {
        0 => [0, stat.stx_dev_major.into(), stat.stx_dev_minor.into()],
        _ => [stat.stx_mnt_id, 0, 0],
    })
}

/// It belongs to the root itself: nobody has mounted anything at it or above it.
pub(crate) fn is_of_root(place: &CStr) -> Result<bool> {
    Ok(mount_id(place)? == mount_id(c"/")?)
}

/// Something is mounted at the place or below it, links followed.
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

/// It is a link to where something is mounted, or below which.
pub(crate) fn leads_to_mounts(place: &CStr) -> Result<bool> {
    let kind = fs::lstat(CWD, place)?.map(|stat| FileType::from_raw_mode(stat.st_mode));
    Ok(kind == Some(FileType::Symlink) && holds_mounts(place)?)
}

/// Both paths lead to the same file.
pub(crate) fn is_same(one: &CStr, other: &CStr) -> Result<bool> {
    let stat = |place| statat(CWD, place, AtFlags::empty());
    let (one, other) = (stat(one)?, stat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}
