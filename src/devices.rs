//! Block devices by the names that an operator gives them: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=; and waiting until
//! one is there. The kernel tells of each that comes, so no device is looked for twice in vain.

use crate::{
    fs,
    partitions::{self, Header},
    superblock::{self, FORMATS, Superblock, is_uuid},
    sys,
    text::{Text, fields, number, split_once},
};
use core::ffi::CStr;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ioctl_blksszget, open, readlinkat_raw, statat},
    io::{Errno, Result, pread},
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with},
};

/// The kernel's list of all disks and their partitions.
const CLASS: &CStr = c"/sys/class/block";
/// The kernel's own group of device events; those of a udev are another.
const KERNEL: u32 = 1;

/// `/dev/` and a name of up to 32 bytes (DISK_NAME_LEN), or the path that the operator gave.
pub(crate) type Path = Text<256>;

#[derive(Clone, Copy, PartialEq)]
enum By {
    Label,
    Uuid,
    PartLabel,
    PartUuid,
}

const SCHEMES: &[(&[u8], By)] = &[
    (b"LABEL", By::Label),
    (b"UUID", By::Uuid),
    (b"PARTLABEL", By::PartLabel),
    (b"PARTUUID", By::PartUuid),
];

/// The device that was found.
pub(crate) struct Found {
    pub(crate) path: Path,
    /// Others have the same name; this is the first of them by its own.
    pub(crate) others: bool,
}

/// The device of this name. Waits for it to come, but not longer than `seconds`; `waiting` is called once when it is not
/// there yet.
///
/// # Errors
/// `TIMEDOUT`; `NOTBLK`: something else has that path; what the kernel says to /sys or the socket.
pub(crate) fn find(name: &[u8], seconds: u64, waiting: impl FnOnce()) -> Result<Found> {
    let events = Events::open()?;
    let mut waiting = Some(waiting);
    let deadline = sys::since_boot() + seconds * 1000;
    loop {
        if let Some(found) = look(name)? {
            return Ok(found);
        }
        if let Some(tell) = waiting.take() {
            tell();
        }
        events.wait(deadline)?;
    }
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
    fn wait(&self, deadline: u64) -> Result<()> {
        let mut event = [0; 4096];
        loop {
            let left = deadline.saturating_sub(sys::since_boot()).cast_signed();
            let limit = Timespec {
                tv_sec: left / 1000,
                tv_nsec: left % 1000 * 1_000_000,
            };
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit)) {
                Ok(0) => return Err(Errno::TIMEDOUT),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
            let of_block = |event: &[u8]| fields(event, 0).any(|field| field == b"SUBSYSTEM=block");
            match recv(&self.0, &mut event[..], RecvFlags::DONTWAIT) {
                // More came than the socket holds.
                Err(Errno::NOBUFS) => return Ok(()),
                Ok((length, _)) if of_block(event.get(..length).unwrap_or_default()) => {
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}

fn look(name: &[u8]) -> Result<Option<Found>> {
    let (scheme, value) = split_once(name, b'=');
    let by = SCHEMES.iter().find(|(known, _)| *known == scheme);
    let (Some((_, by)), Some(value)) = (by, value) else {
        let path = Path::of(&[name]).map_err(|_| Errno::NAMETOOLONG)?;
        return match statat(CWD, path.as_c_str(), AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice => {
                Ok(Some(Found {
                    path,
                    others: false,
                }))
            }
            Ok(_) => Err(Errno::NOTBLK),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        };
    };
    let class = open(
        CLASS,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut found: Option<Found> = None;
    fs::entries(class.as_fd(), &mut |entry| {
        // A device that goes away or cannot be read is not the one.
        let Some(path) = matching(entry, *by, value) else {
            return Ok(());
        };
        found = Some(match found.take() {
            Some(first) if first.path.as_bytes() < path.as_bytes() => Found {
                others: true,
                ..first
            },
            other => Found {
                path,
                others: other.is_some(),
            },
        });
        Ok(())
    })?;
    Ok(found)
}

/// The path of the device that /sys lists under this name, if it is the one.
fn matching(entry: &CStr, by: By, value: &[u8]) -> Option<Path> {
    let mut buffer = [0; 1024];
    let uevent = Text::<256>::of(&[CLASS.to_bytes(), b"/", entry.to_bytes(), b"/uevent"]).ok()?;
    let uevent = fs::read_small(uevent.as_c_str(), &mut buffer).ok()?;
    let told = |key: &[u8]| {
        fields(uevent, b'\n').find_map(|line| {
            let (name, value) = split_once(line, b'=');
            value.filter(|_| name == key)
        })
    };
    let path = device(told(b"DEVNAME")?)?;
    let is = match by {
        By::PartLabel => told(b"PARTNAME")? == value,
        By::PartUuid => has_part_uuid(entry, number(told(b"PARTN")?)?, value)?,
        By::Label | By::Uuid => {
            let mut block = [0; superblock::LENGTH];
            let superblock =
                recognise(open_device(path.as_c_str()).ok()?.as_fd(), &mut block).ok()??;
            match by {
                By::Label => superblock.label() == value,
                _ => is_uuid(value, superblock.uuid()),
            }
        }
    };
    is.then_some(path)
}

fn device(name: &[u8]) -> Option<Path> {
    Path::of(&[b"/dev/", name]).ok()
}

/// For reading; a drive without a medium is not waited for.
pub(crate) fn open_device(path: &CStr) -> Result<OwnedFd> {
    open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// The file system on a device, if it is one that is known.
///
/// # Errors
/// What cannot be read cannot be judged.
pub(crate) fn recognise<'b>(
    device: BorrowedFd<'_>,
    block: &'b mut [u8; superblock::LENGTH],
) -> Result<Option<Superblock<'b>>> {
    for format in FORMATS {
        let length = pread(device, &mut block[..], format.offset)?;
        if Superblock::of(format, block.get(..length).unwrap_or_default()).is_some() {
            return Ok(Superblock::of(format, block));
        }
    }
    Ok(None)
}

/// Looks into the partition table of the disk that the partition lies on: /sys has it as the directory above.
fn has_part_uuid(entry: &CStr, partition: u64, value: &[u8]) -> Option<bool> {
    let link = Text::<256>::of(&[CLASS.to_bytes(), b"/", entry.to_bytes()]).ok()?;
    let mut target = [0; 1024];
    let length = readlinkat_raw(CWD, link.as_c_str(), &mut target[..]).ok()?;
    let disk = target.get(..length)?.rsplit(|byte| *byte == b'/').nth(1)?;
    let disk = open_device(device(disk)?.as_c_str()).ok()?;
    let mut block = [0; partitions::LENGTH];
    let mut read = |at| pread(&disk, &mut block, at).ok().map(|_| block);
    let block_size = u64::from(ioctl_blksszget(&disk).ok()?);
    let Some(header) = Header::parse(&read(block_size)?) else {
        return Some(partitions::is_mbr_id(
            value,
            &read(partitions::MBR_TAIL)?,
            partition,
        ));
    };
    Some(partitions::is_guid(
        value,
        &read(header.entry(partition, block_size)?)?,
    ))
}
