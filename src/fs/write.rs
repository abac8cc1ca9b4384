//! Writing files: whole under their name, or not at all.

use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Mode, OFlags, RenameFlags, open, openat, renameat, renameat_with, unlinkat},
    io::{Errno, Result, retry_on_intr, write},
};

use super::unless_there;

/// The name a file has while it is being written.
const ASIDE: &CStr = c".dockerlaunch.new";

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
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path, flags, Mode::empty()))?;
    // One write: the kernel takes it whole or refuses it.
    retry_on_intr(|| write(&file, word)).map(|_| ())
}
