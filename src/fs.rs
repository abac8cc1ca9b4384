//! Files, relative to directories that are open: so that every file step can run against any directory, and no link in
//! an image leads out of it (openat2(2), RESOLVE_IN_ROOT).
//!
//! What is there already is left; new files appear whole, under their name, or not at all.

use crate::{
    sys,
    text::{Decimal, Text},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags, mkdirat, open, openat,
        openat2, readlinkat_raw, renameat, renameat_with, statat, symlinkat, unlinkat,
    },
    io::{Errno, Result, read, write},
};

/// The longest path that the kernel takes, and its NUL.
pub(crate) const PATH: usize = 4096;
/// The name a file has while it is being written.
const ASIDE: &CStr = c".dockerlaunch.new";

/// Where a file really lies, all links followed.
pub(crate) fn real_path(path_to: &CStr) -> Result<Text<PATH>> {
    let file = open(path_to, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let number = Decimal::new(file.as_raw_fd().unsigned_abs().into());
    let link = path(&[b"/proc/self/fd/", number.as_bytes()])?;
    let mut target = [0; PATH];
    let length = readlinkat_raw(CWD, link.as_c_str(), &mut target)?;
    path(&[target.get(..length).unwrap_or_default()])
}

/// The directory that a launch takes for `/`.
pub(crate) struct Root(OwnedFd);

impl Root {
    pub(crate) fn open(path: &CStr) -> Result<Self> {
        open(
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map(Self)
    }

    /// A directory below the root, to make things in.
    pub(crate) fn directory(&self, path: &CStr) -> Result<OwnedFd> {
        self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn resolve(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd> {
        openat2(
            &self.0,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
    }
}

/// A path's bytes with the NUL that system calls want.
pub(crate) fn path(parts: &[&[u8]]) -> Result<Text<PATH>> {
    Text::of(parts).map_err(|_| Errno::NAMETOOLONG)
}

/// A directory, through links, to look into.
pub(crate) fn directory(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// A directory in another, but no link.
pub(crate) fn subdirectory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Something stands there, if only a dangling link.
pub(crate) fn exists(directory: BorrowedFd<'_>, name: &CStr) -> bool {
    statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Makes a directory where nothing stands.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &CStr, mode: Mode) -> Result<()> {
    unless_there(mkdirat(parent, name, mode))
}

/// Makes a directory and those above it where nothing stands; only root and its group may look into it.
#[cfg(feature = "state")]
pub(crate) fn make_directories(path_to: &CStr) -> Result<()> {
    let bytes = path_to.to_bytes();
    let slashes = bytes
        .iter()
        .enumerate()
        .filter(|(place, byte)| **byte == b'/' && *place > 0);
    for (place, _) in slashes {
        let above = path(&[bytes.get(..place).unwrap_or_default()])?;
        make_directory(CWD, above.as_c_str(), Mode::from_raw_mode(0o755))?;
    }
    make_directory(CWD, path_to, Mode::from_raw_mode(0o710))
}

/// Makes a symbolic link where nothing stands.
pub(crate) fn make_link(parent: BorrowedFd<'_>, name: &CStr, target: &CStr) -> Result<()> {
    unless_there(symlinkat(target, parent, name))
}

fn unless_there(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Writes a new file aside and gives it its name. What has appeared under the name meanwhile wins.
pub(crate) fn write_new(
    parent: BorrowedFd<'_>,
    name: &CStr,
    contents: &[u8],
    mode: Mode,
) -> Result<()> {
    let file = aside(parent, mode)?;
    finish_new(parent, name, write_all(file.as_fd(), contents))
}

/// Writes a file anew, for everybody to read: whole under its name, or in place where it is a mount point of Docker's,
/// which cannot be replaced and may be all that can be written.
#[cfg(feature = "network")]
pub(crate) fn replace(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<()> {
    let mode = Mode::from_raw_mode(0o644);
    let written = aside(parent, mode).and_then(|file| {
        rustix::fs::fchmod(&file, mode)?;
        write_all(file.as_fd(), contents)?;
        renameat(parent, ASIDE, parent, name)
    });
    match written {
        Err(Errno::BUSY | Errno::ROFS) => {
            let _ = unlinkat(parent, ASIDE, AtFlags::empty());
            let in_place = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            write_all(
                openat(parent, name, in_place, Mode::empty())?.as_fd(),
                contents,
            )
        }
        other => other.inspect_err(|_| _ = unlinkat(parent, ASIDE, AtFlags::empty())),
    }
}

/// A fresh file; one that an earlier launch left is taken away first.
pub(crate) fn aside(parent: BorrowedFd<'_>, mode: Mode) -> Result<OwnedFd> {
    let create = || {
        openat(
            parent,
            ASIDE,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            mode,
        )
    };
    match create() {
        Err(Errno::EXIST) => {
            unlinkat(parent, ASIDE, AtFlags::empty())?;
            create()
        }
        other => other,
    }
}

/// Gives the file that was written aside its name, or takes it away.
pub(crate) fn finish_new(parent: BorrowedFd<'_>, name: &CStr, written: Result<()>) -> Result<()> {
    let renamed = written.and_then(|()| {
        match renameat_with(parent, ASIDE, parent, name, RenameFlags::NOREPLACE) {
            // Not every file system has the flag; that nothing stands there was looked up before.
            Err(Errno::INVAL) => renameat(parent, ASIDE, parent, name),
            other => other,
        }
    });
    unless_there(renamed.inspect_err(|_| _ = unlinkat(parent, ASIDE, AtFlags::empty())))
}

/// Writes all of it, however much a single write takes.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes one word into a file of the kernel's: a sysctl or a cgroup's.
pub(crate) fn write_word(path: &CStr, word: &[u8]) -> Result<()> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    // One write: the kernel takes it whole or refuses it.
    write(&file, word).map(|_| ())
}

/// Reads a small file whole; one that does not fit is an error.
pub(crate) fn read_small<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        if free.is_empty() {
            return Err(Errno::FBIG);
        }
        match read(&file, free) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}

/// Calls `each` with every byte of an open file.
pub(crate) fn bytes(file: BorrowedFd<'_>, each: &mut dyn FnMut(u8)) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match read(file, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => buffer.iter().take(length).for_each(|byte| each(*byte)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Calls `each` with every line of a file of the kernel's, without its newline. Of a line over 4096 bytes only the
/// beginning is given: what is asked for stands there (in mountinfo before an overlay's many layers).
pub(crate) fn lines(path: &CStr, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut line: Vec<u8, 4096> = Vec::new();
    bytes(file.as_fd(), &mut |byte| {
        if byte == b'\n' {
            each(&line);
            line.clear();
        } else {
            let _ = line.push(byte);
        }
    })?;
    if !line.is_empty() {
        each(&line);
    }
    Ok(())
}

/// Calls `each` with the name of every entry of an open directory, but not `.` and `..`.
pub(crate) fn entries(
    directory: BorrowedFd<'_>,
    each: &mut dyn FnMut(&CStr) -> Result<()>,
) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let mut records = sys::directory_entries(directory, &mut buffer)?;
        if records.is_empty() {
            return Ok(());
        }
        // linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
        while let Some(&[low, high]) = records.get(16..18) {
            let (record, rest) = records
                .split_at_checked(usize::from(u16::from_ne_bytes([low, high])))
                .unwrap_or((records, b""));
            let name = record
                .get(19..)
                .and_then(|name| CStr::from_bytes_until_nul(name).ok())
                .unwrap_or_default();
            if name != c"." && name != c".." {
                each(name)?;
            }
            records = rest;
        }
    }
}

/// A regular file that may be executed, a directory, or nothing of use: as execve(2) will see it.
pub(crate) fn executable(path: &CStr) -> Result<()> {
    rustix::fs::accessat(CWD, path, rustix::fs::Access::EXEC_OK, AtFlags::empty())?;
    match FileType::from_raw_mode(statat(CWD, path, AtFlags::empty())?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::ACCESS),
    }
}
