//! Finds block devices by the names that operators use, and waits for them to appear. The kernel reports each new device, so
//! disks are searched again only after a report. A name that several file systems have is an error: a wrong guess would
//! overwrite somebody's data.

mod btrfs;
mod contents;
mod events;
mod names;
mod partitions;
pub(crate) mod signatures;
pub(crate) mod superblock;
mod sysfs;

use crate::{
    error::Step,
    kernel::requests::END_REQUESTED,
    launch::{Launch, Outcome},
    sys,
    text::{Decimal, Text},
};
use btrfs::Members;
use contents::HELD;
use core::ffi::CStr;
use events::Events;
use names::{By, Name, is_label};
use partitions::{Header, is_guid, is_mbr_id};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ioctl_blksszget, major, minor, open, statat},
    io::{Errno, Result, pread},
};
use superblock::{FORMATS, is_uuid};

pub(crate) use contents::{Contents, size};

/// The default size of a logical block (include/linux/blk_types.h).
const SECTOR: u32 = 512;
const NO_NAME: &str =
    "this name of a disk is not supported; use /dev/…, LABEL=, UUID=, PARTLABEL= or PARTUUID=";
const AMBIGUOUS: &str = "several file systems have this name, and none was mounted; use a name that only one has (UUID=, PARTUUID=, /dev/…), or wipe the others (wipefs -a)";
const MISSING: &str = "devices of this btrfs are missing; connect them, or name the module of their driver in DOCKER_LAUNCH_MODULES";

/// `/dev/` and a name of up to 32 bytes (DISK_NAME_LEN), or the path in the setting.
pub(crate) type Path = Text<256>;

/// A device that was found.
#[derive(Clone, Copy)]
pub(crate) struct Device {
    pub(crate) path: Path,
    /// Its name in /sys/class/block.
    entry: Text<64>,
}

impl Device {
    /// What is on the device; `block` receives the superblock of a supported file system.
    pub(crate) fn judge(&self, block: &mut [u8; superblock::LENGTH]) -> Result<Contents> {
        contents::judge(self, block)
    }

    /// Sets it from /sys; `false` if the uevent file has no DEVNAME.
    fn fill(&mut self, entry: &CStr, uevent: &[u8]) -> bool {
        self.path = Path::new();
        self.entry = Text::new();
        sysfs::value(uevent, b"DEVNAME").is_some_and(|name| {
            [b"/dev/", name]
                .iter()
                .all(|part| self.path.push(part).is_ok())
                && self.entry.push(entry.to_bytes()).is_ok()
        })
    }

    /// The path and the contents, for messages.
    pub(crate) fn described(&self, contents: &Contents) -> Text<320> {
        let parts = [self.path.as_bytes(), b" (", contents.name(), b")"];
        Text::of(&parts).unwrap_or(Text::new())
    }
}

/// A device that has the name. It is filled in place: copying it would take much code.
struct Candidate {
    device: Device,
    members: Members,
}

impl Candidate {
    const NONE: Self = Self {
        device: Device {
            path: Path::new(),
            entry: Text::new(),
        },
        members: Members {
            uuid: [0; 16],
            count: 1,
        },
    };
}

enum Found {
    Nothing,
    One,
    /// A device of a file system on several; this many of them are there.
    Member(u64),
    Several,
}

/// Finds the device of this name, and waits up to `seconds` for it; `late` is the reason in the error then. A btrfs on several
/// devices is found when all of them are there, or after that time if it may be `degraded`.
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
    // An existing path, such as one of udev's links, is used as it is.
    let parsed = match at(name) {
        Ok(Some(_)) => Some(Name::Path(name)),
        _ => parsed,
    };
    let Some(parsed) = parsed else {
        list(launch, None);
        return Err(launch.failed(step, name, NO_NAME));
    };
    let deadline = sys::since_boot() + seconds * 1000;
    let events = Events::open().map_err(refuse)?;
    let mut is_waiting = false;
    let mut candidate = Candidate::NONE;
    loop {
        let found = search(&parsed, &mut candidate).map_err(refuse)?;
        let (device, members) = (&candidate.device, &candidate.members);
        match found {
            Found::One => break,
            Found::Member(present) if present == members.count => {
                btrfs::register(launch, step, members);
                break;
            }
            Found::Several => {
                list(launch, Some((name, &parsed)));
                return Err(launch.failed(step, name, AMBIGUOUS));
            }
            Found::Nothing | Found::Member(_) => {}
        }
        if !is_waiting {
            is_waiting = true;
            let limit = Decimal::new(seconds);
            let limit = limit.as_bytes();
            launch
                .log
                .line("waiting for {}, up to {} s", &[name, limit]);
        }
        match events.wait(launch, deadline) {
            Ok(()) => continue,
            Err(Errno::TIMEDOUT) => {}
            Err(Errno::CANCELED) => return Err(launch.failed(step, name, END_REQUESTED)),
            Err(errno) => return Err(refuse(errno)),
        }
        list(launch, None);
        let Found::Member(present) = found else {
            return Err(launch.failed(step, name, late));
        };
        let (present, count) = (Decimal::new(present), Decimal::new(members.count));
        launch.log.warning(
            "of the btrfs on {} only {} of {} devices are there",
            &[device.path.as_bytes(), present.as_bytes(), count.as_bytes()],
        );
        if !degraded {
            return Err(launch.failed(step, name, MISSING));
        }
        btrfs::register(launch, step, members);
        break;
    }
    Ok(candidate.device)
}

#[inline(never)]
fn search(name: &Name<'_>, found: &mut Candidate) -> Result<Found> {
    let mut number = *name;
    let mut given = None;
    *found = Candidate::NONE;
    if let Name::Path(path) = name {
        let Some(device) = at(path)? else {
            return Ok(Found::Nothing);
        };
        given = Some(path);
        number = Name::Number(major(device).into(), minor(device).into());
    }
    let (mut is_found, mut several) = (false, false);
    let mut other = Candidate::NONE;
    sysfs::each(&mut |entry| {
        if !matches(entry, &number, &mut other) {
            return;
        }
        let is_member = other.members.count > 1 && other.members.uuid == found.members.uuid;
        several |= is_found && !is_member;
        if !is_found || other.device.path.as_bytes() < found.device.path.as_bytes() {
            core::mem::swap(found, &mut other);
        }
        is_found = true;
    })?;
    // The path exists, even if this /sys does not list the device.
    if let Some(path) = given {
        found.device.path = Path::of(&[path]).map_err(|_| Errno::NAMETOOLONG)?;
        is_found = true;
    }
    if !is_found {
        return Ok(Found::Nothing);
    }
    if several {
        return Ok(Found::Several);
    }
    if found.members.count <= 1 {
        return Ok(Found::One);
    }
    let mut present = 0;
    btrfs::each_member(&found.members, &mut |_| present += 1)?;
    Ok(if present > found.members.count {
        Found::Several
    } else {
        Found::Member(present)
    })
}

/// The device number of a path: `None` if it does not exist yet, an error if it is not a block device.
fn at(name: &[u8]) -> Result<Option<u64>> {
    let path = Path::of(&[name]).map_err(|_| Errno::NAMETOOLONG)?;
    match statat(CWD, path.as_c_str(), AtFlags::empty()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice => {
            Ok(Some(stat.st_rdev))
        }
        Ok(_) => Err(Errno::NOTBLK),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether the device that /sys lists as `entry` has the name. Sets the candidate, also the file system if it is on several
/// devices.
#[inline(never)]
fn matches(entry: &CStr, name: &Name<'_>, candidate: &mut Candidate) -> bool {
    let mut buffer = [0; 1024];
    let Some(uevent) = sysfs::uevent(entry, b"", &mut buffer) else {
        return false;
    };
    if !candidate.device.fill(entry, uevent)
        || !has_name(&candidate.device, uevent, name).unwrap_or(false)
    {
        return false;
    }
    candidate.members.count = 1;
    let mut block = [0; superblock::LENGTH];
    match candidate.device.judge(&mut block) {
        Ok(Contents::FileSystem(format)) => {
            candidate.members = Members::of(format, &block);
            true
        }
        // Such a name means the device on top of it.
        Ok(Contents::Taken(HELD)) => !matches!(name, Name::By(..) | Name::Behind(..)),
        // It has no file in /dev, as in a container. The setting may name another file of the device.
        Err(Errno::NOENT) => matches!(name, Name::Number(..)),
        // A device that cannot be read has no label, but its partition has a name. The error is reported when it is used.
        _ => !matches!(name, Name::By(By::Label | By::Uuid, _)),
    }
}

fn has_name(device: &Device, uevent: &[u8], name: &Name<'_>) -> Option<bool> {
    let count = |key| sysfs::count(uevent, key);
    let (value, offset) = match *name {
        Name::All => return Some(true),
        Name::Path(path) => return Some(device.path.as_bytes() == path),
        Name::Number(major, minor) => {
            return Some(count(b"MAJOR")? == major && count(b"MINOR")? == minor);
        }
        Name::By(By::PartLabel, value) => {
            return Some(is_label(value, sysfs::value(uevent, b"PARTNAME")?));
        }
        Name::By(By::PartUuid, value) => (value, 0),
        Name::Behind(value, offset) => (value, offset.checked_neg()?),
        Name::By(by, value) => return has_superblock(device, by, value),
    };
    let partition = count(b"PARTN")?.checked_add_signed(offset)?;
    has_part_uuid(device.entry.as_c_str(), partition, value)
}

/// Whether a superblock on the device has this label or UUID, whatever else is on it.
fn has_superblock(device: &Device, by: By, value: &[u8]) -> Option<bool> {
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

/// Ends a list that is too long for the line.
const MORE: &[u8] = ", …".as_bytes();

/// Logs the disks that have this name, or all disks, with what is on each.
fn list(launch: &Launch<'_>, named: Option<(&[u8], &Name<'_>)>) {
    let (title, name, wanted): (&[u8], &[u8], _) = match named {
        Some((name, wanted)) => (b"disks named ", name, wanted),
        None => (b"disks found", b"", &Name::All),
    };
    let mut line = Text::<768>::new();
    let mut block = [0; superblock::LENGTH];
    let mut candidate = Candidate::NONE;
    let mut rest: &[u8] = b"none";
    let _ = sysfs::each(&mut |entry| {
        if !matches(entry, wanted, &mut candidate) {
            return;
        }
        let device = &candidate.device;
        let contents = device.judge(&mut block);
        let (what, label): (_, &[u8]) = match &contents {
            // A loop device without a file, or a drive without a medium.
            Err(Errno::NXIO | Errno::NOMEDIUM) => return,
            Err(_) => (&b"unreadable"[..], b""),
            Ok(Contents::FileSystem(format)) => (format.name.to_bytes(), format.label(&block)),
            Ok(contents) => (contents.name(), b""),
        };
        let comma: &[u8] = unless_empty(line.as_bytes(), b", ");
        let label_is = unless_empty(label, b" LABEL=");
        let path = device.path.as_bytes();
        let text = Text::<640>::of(&[comma, path, b" (", what, label_is, label, b")"]);
        let fits = text.and_then(|text| line.push(text.as_bytes()));
        rest = if fits.is_ok() && rest != MORE {
            b""
        } else {
            MORE
        };
    });
    let line = line.as_bytes();
    launch.log.line("{}{}: {}{}", &[title, name, line, rest]);
}

fn unless_empty(text: &[u8], then: &'static [u8]) -> &'static [u8] {
    if text.is_empty() { b"" } else { then }
}

/// Opens a device for reading, without waiting for a medium.
pub(crate) fn open_device(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Whether the partition table of the partition's disk has this PARTUUID.
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
