//! Block devices by the names that an operator gives them: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=; and waiting until
//! one is there. The kernel tells of each that comes, so no device is looked for twice in vain.

use crate::{
    error::Step,
    fs,
    launch::{Launch, Outcome},
    partitions::{self, Header, is_guid, is_mbr_id},
    requests::ASKED,
    superblock::{self, FORMATS, Format, is_uuid},
    sys,
    text::{Decimal, Text, fields, number, split_once},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ioctl_blksszget, open, statat},
    io::{Errno, Result, pread},
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with},
};

/// The kernel's list of all disks and their partitions.
const CLASS: &CStr = c"/sys/class/block";
/// The kernel's own group of device events; those of a udev are another.
const KERNEL: u32 = 1;
/// What a disk that does not say otherwise counts in (include/linux/blk_types.h).
const SECTOR: u32 = 512;

/// `/dev/` and a name of up to 32 bytes (DISK_NAME_LEN), or the path that the operator gave.
pub(crate) type Path = Text<256>;

#[derive(Clone, Copy)]
enum By {
    Label,
    Uuid,
    PartLabel,
    PartUuid,
}

const SCHEMES: &[(&str, By)] = &[
    ("LABEL", By::Label),
    ("UUID", By::Uuid),
    ("PARTLABEL", By::PartLabel),
    ("PARTUUID", By::PartUuid),
];

/// The device of this name, of several the first by its own name. Waits for it to come, but not longer than `seconds`: then
/// `late` says what to do.
pub(crate) fn find(
    launch: &Launch<'_>,
    step: Step,
    name: &[u8],
    seconds: u64,
    late: &'static str,
) -> Outcome<Path> {
    let deadline = sys::since_boot() + seconds * 1000;
    let found = Events::open().and_then(|events| {
        if let Some(path) = look(launch, name)? {
            return Ok(path);
        }
        let limit = Decimal::new(seconds);
        let limit = limit.as_bytes();
        launch
            .log
            .line(&[b"waiting for ", name, b", up to ", limit, b" s"]);
        loop {
            events.wait(launch, deadline)?;
            if let Some(path) = look(launch, name)? {
                return Ok(path);
            }
        }
    });
    found.map_err(|errno| match errno {
        Errno::TIMEDOUT => launch.said(step, name, late),
        Errno::CANCELED => launch.said(step, name, ASKED),
        errno => launch.refused(step, name, errno),
    })
}

/// The kernel's device events (Documentation/ABI/testing/sysfs-uevent).
struct Events(OwnedFd);

impl Events {
    /// From now on none is missed.
    fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let protocol = Some(netlink::KOBJECT_UEVENT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// Until the kernel tells of a block device, or may have.
    fn wait(&self, launch: &Launch<'_>, deadline: u64) -> Result<()> {
        let mut event = [0; 4096];
        loop {
            launch.requests.wait(self.0.as_fd(), deadline)?;
            match recv(&self.0, &mut event[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let event = event.get(..length).unwrap_or_default();
                    if fields(event, 0).any(|field| field == b"SUBSYSTEM=block") {
                        return Ok(());
                    }
                }
                // More came than the socket holds.
                Err(Errno::NOBUFS) => return Ok(()),
                Err(_) => {}
            }
        }
    }
}

fn look(launch: &Launch<'_>, name: &[u8]) -> Result<Option<Path>> {
    let (scheme, value) = split_once(name, b'=');
    let mut schemes = SCHEMES.iter();
    let by = schemes.find(|(known, _)| known.as_bytes() == scheme);
    let (Some((_, by)), Some(value)) = (by, value) else {
        return at(name);
    };
    let (mut found, mut several) = (None, false);
    fs::entries(fs::directory(CLASS)?.as_fd(), &mut |entry| {
        // A device that goes away or cannot be read is not the one.
        if let Some(path) = matching(entry, *by, value) {
            let first = found.get_or_insert(path);
            several |= first.as_bytes() != path.as_bytes();
            if path.as_bytes() < first.as_bytes() {
                *first = path;
            }
        }
        Ok(())
    })?;
    if several && let Some(path) = &found {
        let path = path.as_bytes();
        launch
            .log
            .warning(&[b"several disks are ", name, b": ", path, b" is taken"]);
    }
    Ok(found)
}

/// Nothing is there yet, or something is, but no disk.
fn at(name: &[u8]) -> Result<Option<Path>> {
    let path = Path::of(&[name]).map_err(|_| Errno::NAMETOOLONG)?;
    match statat(CWD, path.as_c_str(), AtFlags::empty()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice => {
            Ok(Some(path))
        }
        Ok(_) => Err(Errno::NOTBLK),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The path of the device that /sys lists under this name, if it is the one.
fn matching(entry: &CStr, by: By, value: &[u8]) -> Option<Path> {
    let mut buffer = [0; 1024];
    let uevent = uevent(entry, b"", &mut buffer)?;
    let path = path(uevent)?;
    let is = match by {
        By::PartLabel => told(uevent, b"PARTNAME")? == value,
        By::PartUuid => has_part_uuid(entry, number(told(uevent, b"PARTN")?)?, value)?,
        By::Label | By::Uuid => {
            let mut block = [0; superblock::LENGTH];
            let device = open_device(path.as_c_str()).ok()?;
            let format = recognise(device.as_fd(), &mut block).ok()??;
            match by {
                By::Label => format.label(&block) == value,
                _ => is_uuid(value, format.uuid(&block)),
            }
        }
    };
    is.then_some(path)
}

/// What the kernel tells of a device, or with `/..` of the disk that a partition lies on: lines `NAME=value`.
fn uevent<'b>(entry: &CStr, above: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let parts = [CLASS.to_bytes(), b"/", entry.to_bytes(), above, b"/uevent"];
    let file = Text::<256>::of(&parts).ok()?;
    fs::read_small(file.as_c_str(), buffer).ok()
}

fn told<'u>(uevent: &'u [u8], key: &[u8]) -> Option<&'u [u8]> {
    fields(uevent, b'\n').find_map(|line| match split_once(line, b'=') {
        (name, value) if name == key => value,
        _ => None,
    })
}

fn path(uevent: &[u8]) -> Option<Path> {
    Path::of(&[b"/dev/", told(uevent, b"DEVNAME")?]).ok()
}

/// For reading; a drive without a medium is not waited for.
pub(crate) fn open_device(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// The file system on a device, if it is one that is known, and its superblock.
///
/// # Errors
/// What cannot be read cannot be judged.
pub(crate) fn recognise(
    device: BorrowedFd<'_>,
    block: &mut [u8; superblock::LENGTH],
) -> Result<Option<&'static Format>> {
    for format in FORMATS {
        block.fill(0);
        pread(device, &mut block[..], format.offset)?;
        if format.is_in(block) {
            return Ok(Some(format));
        }
    }
    Ok(None)
}

/// Looks into the partition table of the disk that the partition lies on.
fn has_part_uuid(entry: &CStr, partition: u64, value: &[u8]) -> Option<bool> {
    let mut buffer = [0; 1024];
    let disk = path(uevent(entry, b"/..", &mut buffer)?)?;
    let disk = open_device(disk.as_c_str()).ok()?;
    if is_mbr_id(value, &read(disk.as_fd(), partitions::MBR_TAIL)?, partition) {
        return Some(true);
    }
    let block_size = u64::from(ioctl_blksszget(&disk).unwrap_or(SECTOR));
    let header = Header::parse(&read(disk.as_fd(), block_size)?)?;
    let entry = header.entry(partition, block_size)?;
    Some(is_guid(value, &read(disk.as_fd(), entry)?))
}

fn read(disk: BorrowedFd<'_>, at: u64) -> Option<[u8; partitions::LENGTH]> {
    let mut block = [0; partitions::LENGTH];
    let length = pread(disk, &mut block[..], at).ok()?;
    (length == block.len()).then_some(block)
}
