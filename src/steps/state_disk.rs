//! The state disk: mounts the disk of DOCKER_LAUNCH_STATE at the daemon's data root. A disk with a file system is mounted
//! as it is. Only a blank disk is formatted, and only if DOCKER_LAUNCH_STATE_FORMAT asks for it. Any other disk is left
//! alone.

use crate::{
    disks::{
        self, Contents, Device, signatures,
        superblock::{self, Format},
    },
    docker::{command::Command, config::Config},
    error::{Step, reason},
    fs::{self, copy},
    kernel::mounted,
    launch::{Context, Launch, Outcome},
    steps::programs::{self, AtEnd},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::CWD,
    io::{self, Errno, pread},
    mount::{MountFlags, mount},
};

/// How long the disk may take to appear, in seconds.
const APPEARS: u64 = 10;
const LATE: &str =
    "no such disk after 10 s; check its name, or add its driver's module to DOCKER_LAUNCH_MODULES";
/// How long e2fsck and mkfs may take, in seconds: enough for large and slow disks.
const REPAIR: u32 = 900;
const FORMAT: u32 = 900;

/// Every file system, volume and partition table has its signature, or its copy, within this distance from one end.
const EDGE: u64 = 2 << 20;
/// How many bytes of a copy are read.
const BACKUP: u64 = 4096;

/// A mount at the data root or below it stays, so that a second launch keeps the disk of the first.
pub(crate) fn mount_disk(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
) -> Outcome<()> {
    let name = launch.settings.state.to_bytes();
    if name.is_empty() {
        return Ok(());
    }
    let data_root = config.data_root.as_c_str();
    if mounted::holds_mounts(data_root).at(launch, Step::State, data_root)? {
        let is_mount = copy::is_mount(CWD, data_root).at(launch, Step::State, data_root)?;
        let what: &[u8] = if is_mount {
            b" is mounted already: the state disk is not mounted"
        } else {
            b" has a mount below it: the state disk is not mounted"
        };
        launch.log.line("{}{}", &[data_root.to_bytes(), what]);
        return Ok(());
    }
    let device = disks::find(launch, Step::State, name, APPEARS, LATE, false)?;
    let format = prepare(launch, command, &device)?;
    let device = device.path.as_c_str();
    // Only root and its group may enter it.
    fs::Root::open(c"/")
        .and_then(|root| root.make_directories(data_root.to_bytes(), 0o710))
        .at(launch, Step::State, data_root)?;
    mount(device, data_root, format, MountFlags::empty(), None).at(launch, Step::State, device)?;
    launch.log.line(
        "{} ({}) is mounted at {}",
        &[device.to_bytes(), format.to_bytes(), data_root.to_bytes()],
    );
    Ok(())
}

/// Returns the file system type of the device, after a repair if it is marked as having errors, or after formatting.
fn prepare(launch: &Launch<'_>, command: &Command<'_>, device: &Device) -> Outcome<&'static CStr> {
    const OTHER_CONTENTS: &str = "its contents are not ext4, xfs or btrfs, and were left alone; if they may be lost, wipe it: blkdiscard, or dd from /dev/zero";
    let path = device.path.as_c_str();
    let mut block = [0; superblock::LENGTH];
    let contents = device.judge(&mut block).at(launch, Step::State, path)?;
    let named = device.described(&contents);
    let (subject, reason) = match contents {
        Contents::FileSystem(format) if format.writable => {
            repair(launch, command, path, format, &block);
            return Ok(format.name);
        }
        Contents::FileSystem(_) => (
            path.to_bytes(),
            "its file system cannot be written: Docker's state needs ext4, xfs or btrfs",
        ),
        Contents::Foreign(_) | Contents::Taken(_) => (named.as_bytes(), OTHER_CONTENTS),
        Contents::Unknown if !is_blank(path).at(launch, Step::State, path)? => {
            (path.to_bytes(), OTHER_CONTENTS)
        }
        Contents::Unknown if launch.settings.state_format.is_empty() => (
            path.to_bytes(),
            "the disk is blank; set DOCKER_LAUNCH_STATE_FORMAT=ext4 to format it",
        ),
        Contents::Unknown => return make(launch, command, path, launch.settings.state_format),
    };
    Err(launch.failed(Step::State, subject, reason))
}

/// Runs the image's e2fsck, if there is one, and logs one warning. The disk is mounted in any case.
fn repair(launch: &Launch<'_>, command: &Command<'_>, path: &CStr, format: &Format, block: &[u8]) {
    if !format.has_errors(block) {
        return;
    }
    let mut cannot = "";
    let what: &[u8] = match programs::run(
        launch,
        command,
        c"e2fsck",
        &[c"-p", path],
        REPAIR,
        AtEnd::Finishes,
    ) {
        Err(Errno::NOENT) => b"the image has no e2fsck to repair it",
        Err(Errno::TIMEDOUT) => b"e2fsck took longer than 900 s and was killed",
        Err(errno) => {
            cannot = "e2fsck could not be run: ";
            reason(errno).as_bytes()
        }
        // 1: repaired. 2: repaired, reboot needed if it is the root, which it is not (e2fsck(8)).
        Ok(0..=2) => b"e2fsck has repaired it",
        Ok(_) => b"e2fsck could not repair it: run it by hand",
    };
    let marked = b" is marked: its file system had errors; ";
    let parts = [path.to_bytes(), marked, cannot.as_bytes(), what];
    launch.log.warning("", &parts);
}

/// Formats the disk with the image's mkfs.
fn make(
    launch: &Launch<'_>,
    command: &Command<'_>,
    path: &CStr,
    format: &'static CStr,
) -> Outcome<&'static CStr> {
    let tool = fs::path(&[b"mkfs.", format.to_bytes()]);
    launch.log.line(
        "the state disk {} is blank: making a new {} file system on it",
        &[path.to_bytes(), format.to_bytes()],
    );
    let reason = match programs::run(
        launch,
        command,
        tool.as_c_str(),
        &[c"-q", path],
        FORMAT,
        AtEnd::Finishes,
    ) {
        Ok(0) => return Ok(format),
        Ok(_) => "it failed: see its output above",
        Err(Errno::NOENT) => {
            "the image has no such program: install e2fsprogs, xfsprogs or btrfs-progs"
        }
        Err(Errno::TIMEDOUT) => "it took longer than 900 s and was killed",
        Err(errno) => return Err(launch.refused(Step::State, tool.as_bytes(), errno)),
    };
    Err(launch.failed(Step::State, tool.as_bytes(), reason))
}

/// Whether the device has only zeros where file systems, volumes and partition tables keep their signatures: at both ends,
/// and at the places of backup copies, in case the first copy was wiped.
fn is_blank(path: &CStr) -> io::Result<bool> {
    let device = disks::open_device(path)?;
    let device = device.as_fd();
    let end = disks::size(device)?;
    let mut is_blank =
        is_zero(device, 0, end.min(EDGE))? && is_zero(device, end.saturating_sub(EDGE), end)?;
    for place in signatures::backups(end) {
        is_blank = is_blank && is_zero(device, place, end.min(place + BACKUP))?;
    }
    Ok(is_blank)
}

fn is_zero(device: BorrowedFd<'_>, mut from: u64, to: u64) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    while from < to {
        let length = pread(device, &mut buffer[..], from)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The first page of a process is never mapped.
    #[test]
    fn g9_an_unreadable_block_is_not_zero() {
        let memory = disks::open_device(c"/proc/self/mem").unwrap();
        assert_eq!(is_zero(memory.as_fd(), 0, 4096), Err(Errno::IO));
        // A device that ends before its stated size.
        let nothing = disks::open_device(c"/dev/null").unwrap();
        assert_eq!(is_zero(nothing.as_fd(), 0, 4096), Err(Errno::IO));
        assert_eq!(is_zero(nothing.as_fd(), 0, 0), Ok(true));
    }
}
