//! Block devices in /sys: their names, their partitions, and which other devices hold them.

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

/// All disks and partitions.
const CLASS: &CStr = c"/sys/class/block";

/// Calls `each` with the name of every disk and partition.
pub(super) fn each(each: &mut dyn FnMut(&CStr)) -> Result<()> {
    fs::entries(fs::directory(CLASS)?.as_fd(), &mut |entry, _| {
        each(entry);
        Ok(())
    })
}

fn file(entry: &CStr, below: &[&[u8]]) -> Option<Text<256>> {
    let mut file = Text::of(&[CLASS.to_bytes(), b"/", entry.to_bytes()]).ok()?;
    below.iter().try_for_each(|part| file.push(part)).ok()?;
    Some(file)
}

/// Reads the uevent file of a device, or with `/..` of a partition's disk: lines `NAME=value`.
pub(super) fn uevent<'b>(entry: &CStr, above: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let file = file(entry, &[above, b"/uevent"])?;
    fs::read_small(file.as_c_str(), buffer).ok()
}

/// The value of a line with this name.
pub(super) fn value<'u>(uevent: &'u [u8], key: &[u8]) -> Option<&'u [u8]> {
    fields(uevent, b'\n').find_map(|line| match split_once(line, b'=') {
        (name, value) if name == key => value,
        _ => None,
    })
}

/// The same, as a number.
pub(super) fn count(uevent: &[u8], key: &[u8]) -> Option<u64> {
    number(value(uevent, key)?)
}

/// The device's path in /dev.
pub(super) fn path(uevent: &[u8]) -> Option<super::Path> {
    super::Path::of(&[b"/dev/", value(uevent, b"DEVNAME")?]).ok()
}

/// Whether device-mapper, md or bcache holds the device, or a partition's disk (a path of a multipath device): then the contents
/// belong to the holder.
pub(super) fn is_held(entry: &CStr) -> bool {
    let has = |above: &[u8]| has_entry(entry, &[above, b"/holders"], &mut |_| true);
    has(b"") || is_partition(entry) && has(b"/..")
}

pub(super) fn is_partition(entry: &CStr) -> bool {
    exists(entry, &[b"/partition"])
}

/// Whether a partition of this partition's disk ends after this place of the disk, in bytes.
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

/// Whether the kernel has found partitions on the disk. Not every entry below a disk is one: eMMC has its boot areas there.
pub(super) fn has_partitions(entry: &CStr) -> bool {
    has_entry(entry, &[], &mut |below| {
        exists(entry, &[b"/", below.to_bytes(), b"/partition"])
    })
}

fn has_entry(entry: &CStr, below: &[&[u8]], is: &mut dyn FnMut(&CStr) -> bool) -> bool {
    let mut found = false;
    let directory = file(entry, below).and_then(|file| fs::directory(file.as_c_str()).ok());
    if let Some(directory) = directory {
        let _ = fs::entries(directory.as_fd(), &mut |name, _| {
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
