//! Block devices by the names that an operator gives them, and waiting until one is there. The kernel reports each device
//! that comes, so no device is looked for twice in vain. A name that fits several file systems is an error: which of them is
//! meant cannot be guessed, and a wrong guess writes over somebody's data.

mod btrfs;
mod contents;
mod events;
mod names;
mod sysfs;

use crate::{
    error::Step,
    launch::{Launch, Outcome},
    partitions::{self, Header, is_guid, is_mbr_id},
    superblock::{self, FORMATS, is_uuid},
    sys,
    text::{Decimal, Text},
};
use btrfs::Members;
use contents::HELD;
use core::ffi::CStr;
use events::Events;
use names::{By, Name, is_label};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ioctl_blksszget, major, minor, open, statat},
    io::{Errno, Result, pread},
};

pub(crate) use contents::{Contents, size};

/// What a disk that does not say otherwise counts in (include/linux/blk_types.h).
const SECTOR: u32 = 512;
const NO_NAME: &str = "this is no name of a disk that can be followed here; use /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID= or MAJOR:MINOR";
const AMBIGUOUS: &str = "several file systems have this name, and none was mounted; use a name that only one has (UUID=, PARTUUID=, /dev/…), or wipe the others (wipefs -a)";
const MISSING: &str = "not all devices of this btrfs are there; connect them, or name the module of their driver in DOCKER_LAUNCH_MODULES";

/// `/dev/` and a name of up to 32 bytes (DISK_NAME_LEN), or the path that the operator gave.
pub(crate) type Path = Text<256>;

/// A device that was found.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) path: Path,
    /// Its name in /sys/class/block.
    entry: Text<64>,
}

impl Device {
    /// What it holds; of a file system of ours `block` is the superblock.
    pub(crate) fn judge(&self, block: &mut [u8; superblock::LENGTH]) -> Result<Contents> {
        contents::judge(self, block)
    }

    /// As a message names it, with what it holds.
    pub(crate) fn described(&self, contents: &Contents) -> Text<320> {
        let parts = [self.path.as_bytes(), b" (", contents.name(), b")"];
        Text::of(&parts).unwrap_or(Text::new())
    }
}

enum Found {
    Nothing,
    One(Device),
    /// One of a file system of which so many devices are there.
    Member(Device, Members, u64),
    Several,
}

/// The device of this name. Waits for it to come, but not longer than `seconds`: then `late` says what to do. A btrfs on
/// several devices is found when all are there, or, where it may be `degraded`, after that time.
pub(crate) fn find(
    launch: &Launch<'_>,
    step: Step,
    name: &[u8],
    seconds: u64,
    late: &'static str,
    degraded: bool,
) -> Outcome<Device> {
    let refuse = |errno| launch.refused(step, name, errno);
    let parsed = names::parse(name);
    // A link of a udev's needs no interpretation.
    let parsed = match at(name) {
        Ok(Some(_)) => Some(Name::Path(name)),
        _ => parsed,
    };
    let Some(parsed) = parsed else {
        list(launch, b"there", None);
        return Err(launch.said(step, name, NO_NAME));
    };
    let deadline = sys::since_boot() + seconds * 1000;
    let events = Events::open().map_err(refuse)?;
    let mut is_waiting = false;
    loop {
        let found = look(&parsed).map_err(refuse)?;
        match found {
            Found::One(device) => return Ok(device),
            Found::Member(device, members, present) if present == members.count => {
                btrfs::register(launch, step, &members);
                return Ok(device);
            }
            Found::Several => {
                list(launch, name, Some(&parsed));
                return Err(launch.said(step, name, AMBIGUOUS));
            }
            Found::Nothing | Found::Member(..) => {}
        }
        if !is_waiting {
            is_waiting = true;
            let limit = Decimal::new(seconds);
            let limit = limit.as_bytes();
            launch
                .log
                .line(&[b"waiting for ", name, b", up to ", limit, b" s"]);
        }
        match events.wait(deadline) {
            Ok(()) => {}
            Err(Errno::TIMEDOUT) => {
                list(launch, b"there", None);
                let Found::Member(device, members, present) = found else {
                    return Err(launch.said(step, name, late));
                };
                let (present, count) = (Decimal::new(present), Decimal::new(members.count));
                launch.log.warning(&[
                    b"of the btrfs on ",
                    device.path.as_bytes(),
                    b" only ",
                    present.as_bytes(),
                    b" of ",
                    count.as_bytes(),
                    b" devices are there",
                ]);
                if !degraded {
                    return Err(launch.said(step, name, MISSING));
                }
                btrfs::register(launch, step, &members);
                return Ok(device);
            }
            Err(errno) => return Err(refuse(errno)),
        }
    }
}

fn look(name: &Name<'_>) -> Result<Found> {
    let mut number = *name;
    let mut given = None;
    if let Name::Path(path) = name {
        let Some((path, device)) = at(path)? else {
            return Ok(Found::Nothing);
        };
        given = Some(path);
        number = Name::Number(major(device).into(), minor(device).into());
    }
    let (mut found, mut several) = (None::<(Device, Option<Members>)>, false);
    sysfs::each(&mut |entry| {
        let Some((device, members)) = matching(entry, &number) else {
            return;
        };
        let first = found.get_or_insert((device, members));
        if first.0.entry == device.entry {
            return;
        }
        several |= match (&first.1, &members) {
            (Some(first), Some(other)) => first.uuid != other.uuid,
            _ => true,
        };
        if device.path.as_bytes() < first.0.path.as_bytes() {
            *first = (device, members);
        }
    })?;
    let Some((mut device, members)) = found else {
        let entry = Text::new(); // where /sys is not that of this kernel
        return Ok(given.map_or(Found::Nothing, |path| Found::One(Device { path, entry })));
    };
    device.path = given.unwrap_or(device.path);
    let Some(members) = members else {
        return Ok(if several {
            Found::Several
        } else {
            Found::One(device)
        });
    };
    let mut present = 0;
    btrfs::each_member(&members, &mut |_| present += 1)?;
    Ok(if several || present > members.count {
        Found::Several
    } else {
        Found::Member(device, members, present)
    })
}

/// Nothing is there yet; or something is, but no disk. A disk's number, too.
fn at(name: &[u8]) -> Result<Option<(Path, u64)>> {
    let path = Path::of(&[name]).map_err(|_| Errno::NAMETOOLONG)?;
    match statat(CWD, path.as_c_str(), AtFlags::empty()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice => {
            Ok(Some((path, stat.st_rdev)))
        }
        Ok(_) => Err(Errno::NOTBLK),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The device that /sys lists under this name, if it is the one; and its file system's members, if they are several.
fn matching(entry: &CStr, name: &Name<'_>) -> Option<(Device, Option<Members>)> {
    let mut buffer = [0; 1024];
    let uevent = sysfs::uevent(entry, b"", &mut buffer)?;
    let device = device(entry, uevent)?;
    let part_uuid = |value, offset: i64| {
        let partition = sysfs::count(uevent, b"PARTN")?.checked_add_signed(offset)?;
        has_part_uuid(entry, partition, value)
    };
    let is = match *name {
        Name::Path(path) => device.path.as_bytes() == path,
        Name::Number(major, minor) => {
            sysfs::count(uevent, b"MAJOR")? == major && sysfs::count(uevent, b"MINOR")? == minor
        }
        Name::Behind(uuid, offset) => part_uuid(uuid, offset.checked_neg()?)?,
        Name::By(By::PartUuid, value) => part_uuid(value, 0)?,
        Name::By(By::PartLabel, value) => is_label(value, sysfs::value(uevent, b"PARTNAME")?),
        Name::By(by, value) => has_name(&device, by, value)?,
    };
    is.then_some(())?;
    // A device that goes away or cannot be read has no label, but it has the name of its partition: what is wrong with it is
    // said when it is used.
    let mut block = [0; superblock::LENGTH];
    let contents = device.judge(&mut block);
    let format = match contents {
        Ok(Contents::FileSystem(format)) => Some(format),
        // The one on top of it has the name as well.
        Ok(Contents::Taken(HELD)) if !matches!(name, Name::Path(_) | Name::Number(..)) => {
            return None;
        }
        _ => None,
    };
    if let Name::By(By::Label | By::Uuid, _) = name {
        format?;
    }
    let members = format.and_then(|format| {
        let count = format.devices(&block);
        let uuid = *format.uuid(&block).first_chunk()?;
        (count > 1).then_some(Members { uuid, count })
    });
    Some((device, members))
}

fn device(entry: &CStr, uevent: &[u8]) -> Option<Device> {
    let path = sysfs::path(uevent)?;
    let entry = Text::of(&[entry.to_bytes()]).ok()?;
    Some(Device { path, entry })
}

/// A superblock on the device has this label or UUID, whatever else is on it.
fn has_name(device: &Device, by: By, value: &[u8]) -> Option<bool> {
    let opened = open_device(device.path.as_c_str()).ok()?;
    let mut block = [0; superblock::LENGTH];
    for format in FORMATS {
        if !contents::has(opened.as_fd(), format.magic_place(), format.magic).ok()? {
            continue;
        }
        contents::read_superblock(opened.as_fd(), format, &mut block).ok()?;
        let is = match by {
            By::Label => is_label(value, format.label(&block)),
            _ => is_uuid(value, format.uuid(&block)),
        };
        if is {
            return Some(true);
        }
    }
    None
}

/// A line of the disks that have this name, or of all, each with what is on it.
fn list(launch: &Launch<'_>, name: &[u8], parsed: Option<&Name<'_>>) {
    let mut line = Text::<768>::new();
    let mut block = [0; superblock::LENGTH];
    let _ = sysfs::each(&mut |entry| {
        let mut buffer = [0; 1024];
        let uevent = sysfs::uevent(entry, b"", &mut buffer);
        let Some(device) = uevent.and_then(|uevent| device(entry, uevent)) else {
            return;
        };
        if parsed.is_some_and(|name| matching(entry, name).is_none()) {
            return;
        }
        let contents = device.judge(&mut block);
        let (what, label): (_, &[u8]) = match &contents {
            // A loop device without a file, a drive without a medium.
            Err(Errno::NXIO | Errno::NOMEDIUM) => return,
            Err(_) => (&b"unreadable"[..], b""),
            Ok(Contents::FileSystem(format)) => (format.name.to_bytes(), format.label(&block)),
            Ok(contents) => (contents.name(), b""),
        };
        let comma: &[u8] = unless_empty(line.as_bytes(), b", ");
        let label_is = unless_empty(label, b" LABEL=");
        let path = device.path.as_bytes();
        let text = Text::<640>::of(&[comma, path, b" (", what, label_is, label, b")"]);
        let _ = text.map(|text| line.push(text.as_bytes()));
    });
    let none: &[u8] = if line.as_bytes().is_empty() {
        b"none"
    } else {
        b""
    };
    let line = line.as_bytes();
    launch
        .log
        .line(&[b"the disks that are ", name, b": ", line, none]);
}

fn unless_empty(text: &[u8], then: &'static [u8]) -> &'static [u8] {
    if text.is_empty() { b"" } else { then }
}

/// For reading; a drive without a medium is not waited for.
pub(crate) fn open_device(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Looks into the partition table of the disk that the partition lies on.
fn has_part_uuid(entry: &CStr, partition: u64, value: &[u8]) -> Option<bool> {
    let mut buffer = [0; 1024];
    let disk = sysfs::path(sysfs::uevent(entry, b"/..", &mut buffer)?)?;
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
