//! Decides what is on a device, from all signatures on it. As in libblkid, a signature of a RAID array or a volume takes
//! precedence over a file system left from an earlier use, and a disk with partitions has no other contents. If there are two
//! file systems, neither is used.

use super::{Device, sysfs};
use crate::disks::{
    partitions,
    signatures::SIGNATURES,
    superblock::{self, FORMATS, Format},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{SeekFrom, seek},
    io::{Errno, Result, pread},
};

pub(crate) enum Contents {
    /// Exactly one file system, of a supported kind.
    FileSystem(&'static Format),
    /// Another file system, or several: the name for messages.
    Foreign(&'static str),
    /// In use for something else: no file system on it may be mounted, and none made. The name for messages.
    Taken(&'static str),
    /// No known signature.
    Unknown,
}

pub(super) const HELD: &str = "held by another device";
const PARTITIONED: &str = "partition table";
const SEVERAL: &str = "several file systems";

impl Contents {
    pub(super) fn name(&self) -> &[u8] {
        match self {
            Self::FileSystem(format) => format.name.to_bytes(),
            Self::Foreign(name) | Self::Taken(name) => name.as_bytes(),
            Self::Unknown => b"nothing known",
        }
    }
}

/// Reads the device; `block` receives the superblock of a supported file system.
///
/// # Errors
/// The device cannot be read: it is never taken for blank. `NXIO`: no medium.
pub(super) fn judge(device: &Device, block: &mut [u8; superblock::LENGTH]) -> Result<Contents> {
    let entry = device.entry.as_c_str();
    let opened = super::open_device(device.path.as_c_str())?;
    let opened = opened.as_fd();
    let has_table = has_table(opened)?;
    let size = size(opened)?;
    if sysfs::is_held(entry) {
        return Ok(Contents::Taken(HELD));
    }
    if let Some(name) = array_below(entry) {
        return Ok(Contents::Taken(name));
    }
    let (mut foreign, mut found) = (None, None);
    for signature in SIGNATURES {
        let Some(place) = signature.place(size) else {
            continue;
        };
        if has(opened, place, signature.magic)? {
            if !signature.is_file_system() {
                return Ok(Contents::Taken(signature.name));
            }
            foreign = Some(signature.name);
        }
    }
    if sysfs::has_partitions(entry) || foreign.is_none() && has_table {
        return Ok(Contents::Taken(PARTITIONED));
    }
    for format in FORMATS {
        if has(opened, format.magic_place(), format.magic)? {
            if found.is_some() {
                foreign = Some(SEVERAL);
            }
            found = Some(format);
        }
    }
    Ok(match (found, foreign) {
        (Some(_), Some(_)) => Contents::Foreign(SEVERAL),
        (Some(format), None) => {
            read_superblock(opened, format, block)?;
            Contents::FileSystem(format)
        }
        (None, Some(name)) => Contents::Foreign(name),
        (None, None) => Contents::Unknown,
    })
}

/// The RAID array that a partition's whole disk belongs to. Its superblock is behind all partitions of the disk; one within a
/// partition belongs to that partition.
fn array_below(entry: &CStr) -> Option<&'static str> {
    sysfs::is_partition(entry).then_some(())?;
    let mut buffer = [0; 1024];
    let disk = sysfs::path(sysfs::uevent(entry, b"/..", &mut buffer)?)?;
    let disk = super::open_device(disk.as_c_str()).ok()?;
    let disk = disk.as_fd();
    let size = size(disk).ok()?;
    let found = SIGNATURES.iter().find(|signature| {
        let place = signature.place(size);
        let place = place.filter(|_| signature.is_at_the_end());
        place.is_some_and(|place| {
            matches!(has(disk, place, signature.magic), Ok(true))
                && !sysfs::is_in_partition(entry, place)
        })
    });
    found.map(|signature| signature.name)
}

/// The size in bytes.
pub(crate) fn size(device: BorrowedFd<'_>) -> Result<u64> {
    match seek(device, SeekFrom::End(0))? {
        0 => Err(Errno::NXIO), // a drive without a medium
        size => Ok(size),
    }
}

pub(super) fn has(device: BorrowedFd<'_>, place: u64, magic: &[u8]) -> Result<bool> {
    let mut bytes = [0; 32];
    let bytes = bytes.get_mut(..magic.len()).unwrap_or_default();
    let length = pread(device, &mut *bytes, place)?;
    Ok(length == magic.len() && bytes == magic)
}

pub(super) fn read_superblock(
    device: BorrowedFd<'_>,
    format: &Format,
    block: &mut [u8; superblock::LENGTH],
) -> Result<()> {
    block.fill(0);
    pread(device, &mut block[..], format.offset).map(|_| ())
}

/// Whether the device has a partition table. The kernel may not have read it: it does so only on whole disks, and only with the
/// driver loaded.
fn has_table(device: BorrowedFd<'_>) -> Result<bool> {
    let mut tail = [0; partitions::LENGTH];
    pread(device, &mut tail[..], partitions::MBR_TAIL)?;
    Ok(partitions::is_mbr(&tail)
        || has(device, 512, partitions::GPT)?
        || has(device, 4096, partitions::GPT)?)
}
