//! What the kernel says of block devices in /sys: their names, their partitions, and which other device holds them.

use crate::{
    fs,
    text::{Text, fields, number, split_once, trim},
};
use core::ffi::CStr;
use rustix::{
    fd::AsFd,
    fs::{Access, AtFlags, CWD, accessat},
    io::Result,
};

/// The kernel's list of all disks and their partitions.
const CLASS: &CStr = c"/sys/class/block";

/// Calls `each` with the name of every disk and partition.
pub(super) fn each(each: &mut dyn FnMut(&CStr)) -> Result<()> {
    fs::entries(fs::directory(CLASS)?.as_fd(), &mut |entry| {
        each(entry);
        Ok(())
    })
}

fn file(entry: &CStr, below: &[&[u8]]) -> Option<Text<256>> {
    let mut file = Text::of(&[CLASS.to_bytes(), b"/", entry.to_bytes()]).ok()?;
    below.iter().try_for_each(|part| file.push(part)).ok()?;
    Some(file)
}

/// What the kernel says of a device, or with `/..` of the disk that a partition lies on: lines `NAME=value`.
pub(super) fn uevent<'b>(entry: &CStr, above: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let file = file(entry, &[above, b"/uevent"])?;
    fs::read_small(file.as_c_str(), buffer).ok()
}

/// The value of a line.
pub(super) fn value<'u>(uevent: &'u [u8], key: &[u8]) -> Option<&'u [u8]> {
    fields(uevent, b'\n').find_map(|line| match split_once(line, b'=') {
        (name, value) if name == key => value,
        _ => None,
    })
}

/// The same, where it is a number.
pub(super) fn count(uevent: &[u8], key: &[u8]) -> Option<u64> {
    number(value(uevent, key)?)
}

/// Where the device lies.
pub(super) fn path(uevent: &[u8]) -> Option<super::Path> {
    super::Path::of(&[b"/dev/", value(uevent, b"DEVNAME")?]).ok()
}

/// device-mapper, md or bcache lies on top of the device, or on top of the disk that the partition lies on (a path of a
/// multipath device): what is on it is that one's.
pub(super) fn is_held(entry: &CStr) -> bool {
    let has = |above: &[u8]| has_entry(entry, &[above, b"/holders"], &mut |_| true);
    has(b"") || is_partition(entry) && has(b"/..")
}

pub(super) fn is_partition(entry: &CStr) -> bool {
    exists(entry, &[b"/partition"])
}

/// A partition of the disk that this one lies on reaches as far as this place of the disk, in bytes.
pub(super) fn is_in_partition(entry: &CStr, place: u64) -> bool {
    has_entry(entry, &[b"/.."], &mut |sibling| {
        let sectors = |what: &[u8]| {
            let mut digits = [0; 32];
            let file = file(entry, &[b"/../", sibling.to_bytes(), what])?;
            number(trim(fs::read_small(file.as_c_str(), &mut digits).ok()?))
        };
        let end = || sectors(b"/start")?.checked_add(sectors(b"/size")?);
        exists(entry, &[b"/../", sibling.to_bytes(), b"/partition"])
            && end().is_none_or(|end| end > place >> 9)
    })
}

/// The kernel has found partitions on the disk. Not all that lies below a disk is one: eMMC has its boot areas there.
pub(super) fn has_partitions(entry: &CStr) -> bool {
    has_entry(entry, &[], &mut |below| {
        exists(entry, &[b"/", below.to_bytes(), b"/partition"])
    })
}

fn has_entry(entry: &CStr, below: &[&[u8]], is: &mut dyn FnMut(&CStr) -> bool) -> bool {
    let mut found = false;
    let directory = file(entry, below).and_then(|file| fs::directory(file.as_c_str()).ok());
    if let Some(directory) = directory {
        let _ = fs::entries(directory.as_fd(), &mut |name| {
            found |= is(name);
            Ok(())
        });
    }
    found
}

fn exists(entry: &CStr, below: &[&[u8]]) -> bool {
    file(entry, below).is_some_and(|file| {
        accessat(CWD, file.as_c_str(), Access::EXISTS, AtFlags::empty()).is_ok()
    })
}
