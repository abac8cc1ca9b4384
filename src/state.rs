//! The state disk: DOCKER_LAUNCH_STATE, mounted at the daemon's data root. A disk that holds a file system is mounted as it
//! is; only a blank one is given one, and only if DOCKER_LAUNCH_STATE_FORMAT asks for it. Anything else is left alone.

use crate::{
    command::Command,
    devices::{self, Path},
    error::Step,
    fs,
    launch::{Context, Launch, Outcome},
    mountinfo::Mount,
    places::Places,
    superblock::{self, Superblock},
    text::Decimal,
    tools,
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{SeekFrom, seek},
    io::{self, Errno, pread},
    mount::{MountFlags, mount},
};

/// How long the disk may take to appear, in seconds.
const APPEARS: u64 = 10;
/// How long its check and its making may take, in seconds: large and slow disks included.
const REPAIR: u32 = 900;
const FORMAT: u32 = 300;

/// No file system, volume or partition table begins later, or keeps its copy farther from the end.
const EDGE: u64 = 2 << 20;

pub(crate) fn mount_disk(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    let settings = launch.settings;
    let name = settings.state.to_bytes();
    if name.is_empty() {
        if settings.state_format.is_empty() {
            return Ok(());
        }
        let reason = "name the disk in DOCKER_LAUNCH_STATE, too";
        return Err(launch.said(Step::Setting, b"DOCKER_LAUNCH_STATE_FORMAT", reason));
    }
    let places = Places::of(command).at(launch, Step::State, c"daemon.json")?;
    let data_root = places.data_root.as_c_str();
    if is_mounted(launch, data_root)? {
        launch.log.line(&[
            data_root.to_bytes(),
            b" is mounted already: the state disk is left",
        ]);
        return Ok(());
    }
    let device = find(launch, name)?;
    let device = device.as_c_str();
    let format = prepare(launch, command, device)?;
    fs::make_directories(data_root).at(launch, Step::State, data_root)?;
    mount(device, data_root, format, MountFlags::empty(), None).at(launch, Step::State, device)?;
    launch.log.line(&[
        device.to_bytes(),
        b" (",
        format.to_bytes(),
        b") is mounted at ",
        data_root.to_bytes(),
    ]);
    Ok(())
}

fn is_mounted(launch: &Launch<'_>, place: &CStr) -> Outcome<bool> {
    let mut mounted = false;
    fs::lines(c"/proc/self/mountinfo", &mut |line| {
        mounted |= Mount::parse(line).is_some_and(|mount| mount.point == place.to_bytes());
    })
    .at(launch, Step::State, c"/proc/self/mountinfo")?;
    Ok(mounted)
}

fn find(launch: &Launch<'_>, name: &[u8]) -> Outcome<Path> {
    let limit = Decimal::new(APPEARS);
    let waiting = || {
        launch.log.line(&[
            b"waiting for the state disk ",
            name,
            b", up to ",
            limit.as_bytes(),
            b" s",
        ])
    };
    match devices::find(name, APPEARS, waiting) {
        Ok(found) => {
            if found.others {
                launch.log.warning(&[
                    b"several disks are ",
                    name,
                    b": ",
                    found.path.as_bytes(),
                    b" is taken",
                ]);
            }
            Ok(found.path)
        }
        Err(Errno::TIMEDOUT) => {
            let reason = "no such disk after 10 s; look at its name, or name the module of its driver in DOCKER_LAUNCH_MODULES";
            Err(launch.said(Step::State, name, reason))
        }
        Err(errno) => Err(launch.refused(Step::State, name, errno)),
    }
}

/// The type of the file system on the device: found, checked where it was marked, or made.
fn prepare(launch: &Launch<'_>, command: &Command<'_>, path: &CStr) -> Outcome<&'static CStr> {
    let device = devices::open_device(path).at(launch, Step::State, path)?;
    let mut block = [0; superblock::LENGTH];
    if let Some(found) =
        devices::recognise(device.as_fd(), &mut block).at(launch, Step::State, path)?
    {
        let format = found.format();
        if !format.writable {
            let reason =
                "its file system cannot be written: Docker's state needs ext4, xfs or btrfs";
            return Err(launch.said(Step::State, path.to_bytes(), reason));
        }
        repair(launch, command, path, &found);
        return Ok(format.name);
    }
    let blank = is_blank(device.as_fd()).at(launch, Step::State, path)?;
    drop(device);
    let format = launch.settings.state_format;
    match (blank, format.is_empty()) {
        (true, false) => make(launch, command, path, format),
        (true, true) => {
            let reason = "the disk is blank; DOCKER_LAUNCH_STATE_FORMAT=ext4 lets a file system be made on it";
            Err(launch.said(Step::State, path.to_bytes(), reason))
        }
        (false, _) => {
            let reason = "it holds something that is neither ext4, xfs nor btrfs, and was left alone; if it may be lost, wipe it: blkdiscard or dd from /dev/zero";
            Err(launch.said(Step::State, path.to_bytes(), reason))
        }
    }
}

/// One warning, and the image's e2fsck if it has one; the disk is mounted all the same.
fn repair(launch: &Launch<'_>, command: &Command<'_>, path: &CStr, found: &Superblock<'_>) {
    if !found.has_errors() {
        return;
    }
    let warn = |what: &[u8]| {
        launch.log.warning(&[
            path.to_bytes(),
            b" is marked: its file system had errors; ",
            what,
        ])
    };
    match tools::run(command, c"e2fsck", &[c"-p", path], REPAIR) {
        Err(Errno::NOENT) => warn(b"the image has no e2fsck to repair it"),
        Err(Errno::TIMEDOUT) => warn(b"e2fsck took longer than 900 s and was ended"),
        Err(_) => warn(b"e2fsck could not be run"),
        // 1: repaired; 2: repaired, and the root would have to be booted anew, which this is not (e2fsck(8)).
        Ok(0..=2) => warn(b"e2fsck has repaired it"),
        Ok(_) => warn(b"e2fsck could not repair it: run it by hand"),
    }
}

/// Makes the file system with the image's own mkfs.
fn make(
    launch: &Launch<'_>,
    command: &Command<'_>,
    path: &CStr,
    format: &'static CStr,
) -> Outcome<&'static CStr> {
    let tool = fs::path(&[b"mkfs.", format.to_bytes()]).at(launch, Step::State, format)?;
    launch.log.line(&[
        b"the state disk ",
        path.to_bytes(),
        b" is blank: making an ",
        format.to_bytes(),
        b" file system on it",
    ]);
    let reason = match tools::run(command, tool.as_c_str(), &[c"-q", path], FORMAT) {
        Ok(0) => return Ok(format),
        Ok(_) => "it failed: what it said stands above",
        Err(Errno::NOENT) => {
            "the image has no such program: install e2fsprogs, xfsprogs or btrfs-progs"
        }
        Err(Errno::TIMEDOUT) => "it took longer than 300 s and was ended",
        Err(errno) => return Err(launch.refused(Step::State, tool.as_bytes(), errno)),
    };
    Err(launch.said(Step::State, tool.as_bytes(), reason))
}

/// Whether both ends of the device, where every file system, volume and partition table has its signature, hold nothing
/// but zeros.
fn is_blank(device: BorrowedFd<'_>) -> io::Result<bool> {
    let end = seek(device, SeekFrom::End(0))?;
    Ok(is_zero(device, 0, end.min(EDGE))? && is_zero(device, end.saturating_sub(EDGE), end)?)
}

fn is_zero(device: BorrowedFd<'_>, mut from: u64, to: u64) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    while from < to {
        let length = pread(device, &mut buffer, from)?;
        if length == 0 {
            return Err(Errno::IO);
        }
        if buffer.iter().take(length).any(|byte| *byte != 0) {
            return Ok(false);
        }
        from += length as u64;
    }
    Ok(true)
}
