//! Reading files (whole, by bytes, by lines) and directories.
//!
//! Only regular files are read (files in procfs and sysfs are regular, too), and only up to a limit: a FIFO, a terminal or
//! /dev/zero in place of a configuration file would block PID 1 for ever. /dev/null counts as an empty file.

use crate::{
    error::{Error, Step},
    log::Log,
    sys,
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{FileType, Mode, OFlags, fstat, open},
    io::{Errno, Result, read, retry_on_intr},
};

/// The limit for a file on a disk, in bytes: a list of all modules is below one MiB.
const LONGEST: u64 = 4 << 20;
/// The limit for the kernel's own files, whose size is 0: 100,000 mounts are 20 MB of mountinfo.
const LONGEST_OF_KERNEL: u64 = 256 << 20;

/// The kernel's own files: each is what its name says, and never waited for. A short one comes with the first read.
fn is_of_kernel(path: &CStr) -> bool {
    let path = path.to_bytes();
    path.starts_with(b"/proc/") || path.starts_with(b"/sys/")
}

/// The device number of /dev/null in stat(2): 1:3.
const NULL: u64 = 1 << 8 | 3;

/// DT_DIR of getdents64(2).
const DIRECTORY: u8 = 4;

/// How a caller that looks for something handles the error of a system call.
pub(crate) trait Lookup<T> {
    /// ENOENT and ENOTDIR mean that it does not exist.
    fn if_exists(self) -> Result<Option<T>>;
    /// The same; any other error is logged as a warning.
    fn if_exists_or_warn(self, log: Log, step: Step, subject: &CStr) -> Option<T>;
    /// Any error is logged as a warning.
    fn or_warn(self, log: Log, step: Step, subject: &CStr) -> Option<T>;
}

impl<T> Lookup<T> for Result<T> {
    #[inline]
    fn if_exists(self) -> Result<Option<T>> {
        match self {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    #[inline]
    fn if_exists_or_warn(self, log: Log, step: Step, subject: &CStr) -> Option<T> {
        self.if_exists().or_warn(log, step, subject).flatten()
    }

    #[inline]
    fn or_warn(self, log: Log, step: Step, subject: &CStr) -> Option<T> {
        match self {
            Ok(found) => Some(found),
            Err(errno) => {
                warn(log, step, subject, errno);
                None
            }
        }
    }
}

/// Logs an error as a warning: the launch goes on.
#[cold]
#[inline(never)]
pub(crate) fn warn(log: Log, step: Step, subject: &CStr, errno: Errno) {
    Error::new(step, subject.to_bytes(), errno).format(&mut |parts| log.warning("", parts));
}

/// Opens a regular file without blocking; returns how much of it may be read. Anything else is EISDIR or, as in systemd, EBADFD.
fn open_regular(path: &CStr) -> Result<(OwnedFd, u64)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match retry_on_intr(|| open(path, flags, Mode::empty())) {
        Err(Errno::NXIO) => return Err(Errno::BADFD), // a socket
        outcome => outcome?,
    };
    if is_of_kernel(path) {
        return Ok((file, LONGEST_OF_KERNEL));
    }
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_size == 0 => Ok((file, LONGEST_OF_KERNEL)),
        FileType::RegularFile => Ok((file, LONGEST)),
        FileType::CharacterDevice if stat.st_rdev == NULL => Ok((file, 0)),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::BADFD),
    }
}

/// Reads a whole small file; one that does not fit is an error.
pub(crate) fn read_small<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let room = buffer.len();
    match read_beginning(path, buffer)? {
        filled if filled.len() == room => Err(Errno::FBIG),
        whole => Ok(whole),
    }
}

/// Reads as much of a file as fits.
pub(crate) fn read_beginning<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let (file, _) = open_regular(path)?;
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        if free.is_empty() {
            break;
        }
        match retry_on_intr(|| read(&file, &mut *free))? {
            0 => break,
            length => filled += length,
        }
        if is_of_kernel(path) {
            break;
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// Calls `each` with every byte of a file up to the limit; a longer file is EFBIG.
pub(crate) fn bytes(path: &CStr, each: &mut dyn FnMut(u8)) -> Result<()> {
    let (file, longest) = open_regular(path)?;
    bytes_of(file.as_fd(), longest, each)
}

/// The same for an open file, up to `longest` bytes.
pub(crate) fn bytes_of(file: BorrowedFd<'_>, longest: u64, each: &mut dyn FnMut(u8)) -> Result<()> {
    let (mut buffer, mut left) = ([0; 4096], longest); // the most that the kernel gives of mountinfo at once
    loop {
        let length = retry_on_intr(|| read(file, &mut buffer))?;
        if length == 0 {
            return Ok(());
        }
        left = left.checked_sub(length as u64).ok_or(Errno::FBIG)?;
        buffer.iter().take(length).for_each(|byte| each(*byte));
    }
}

/// Calls `each` with every line of a file, without its newline. A line over 4096 bytes is truncated: the fields needed come
/// first (in mountinfo before an overlay's many layers).
pub(crate) fn lines(path: &CStr, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut line: Vec<u8, 4096> = Vec::new();
    bytes(path, &mut |byte| {
        if byte == b'\n' {
            each(&line);
            line.clear();
        } else if !line.is_full() {
            line.extend(core::iter::once(byte));
        }
    })?;
    if !line.is_empty() {
        each(&line);
    }
    Ok(())
}

/// Calls `each` with the name of every entry of an open directory except `.` and `..`.
pub(crate) fn entries(
    directory: BorrowedFd<'_>,
    each: &mut dyn FnMut(&CStr) -> Result<()>,
) -> Result<()> {
    kinds(directory, &mut |name, _| each(name))
}

/// The same, and whether the entry is a directory (DT_DIR), which not every file system tells.
pub(crate) fn kinds(
    directory: BorrowedFd<'_>,
    each: &mut dyn FnMut(&CStr, bool) -> Result<()>,
) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let mut records = sys::directory_entries(directory, &mut buffer)?;
        if records.is_empty() {
            return Ok(());
        }
        // linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
        while let Some(&[low, high, kind]) = records.get(16..19) {
            let (record, rest) = records
                .split_at_checked(usize::from(u16::from_ne_bytes([low, high])))
                .unwrap_or((records, b""));
            let name = record
                .get(19..)
                .and_then(|name| CStr::from_bytes_until_nul(name).ok())
                .unwrap_or_default();
            if name != c"." && name != c".." {
                each(name, kind == DIRECTORY)?;
            }
            records = rest;
        }
    }
}
