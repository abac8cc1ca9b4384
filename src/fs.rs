//! Files, relative to directories that are open: so that every file step can run against any directory, and no link in
//! an image leads out of it (openat2(2), RESOLVE_IN_ROOT).
//!
//! What is there already is left; new files appear whole, under their name, or not at all.

mod read;
mod write;

pub(crate) use read::*;
pub(crate) use write::*;

use crate::text::{Decimal, Text};
use core::ffi::CStr;
use rustix::{
    fd::{AsRawFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, mkdirat, open, openat, openat2,
        readlinkat_raw, statat, symlinkat,
    },
    io::{Errno, Result, retry_on_intr},
};

/// The longest path that the kernel takes, and its NUL.
pub(crate) const PATH: usize = 4096;

/// Where a file really lies, all links followed.
pub(crate) fn real_path(path_to: &CStr) -> Result<Text<PATH>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path_to, flags, Mode::empty()))?;
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
        let flags = flags | OFlags::CLOEXEC;
        retry_on_intr(|| openat2(&self.0, path, flags, Mode::empty(), ResolveFlags::IN_ROOT))
    }
}

/// A path's bytes with the NUL that system calls want.
pub(crate) fn path(parts: &[&[u8]]) -> Result<Text<PATH>> {
    Text::of(parts).map_err(|_| Errno::NAMETOOLONG)
}

/// A directory, through links, to look into.
pub(crate) fn directory(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| open(path, flags, Mode::empty()))
}

/// A directory in another, but no link.
pub(crate) fn subdirectory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| openat(parent, name, flags, Mode::empty()))
}

/// What stands there, if only a dangling link.
pub(crate) fn look(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<Stat>> {
    retry_on_intr(|| statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)).there()
}

/// What a path leads to, links followed.
pub(crate) fn stat(path: &CStr) -> Result<Stat> {
    retry_on_intr(|| statat(CWD, path, AtFlags::empty()))
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

/// A regular file that may be executed, a directory, or nothing of use: as execve(2) will see it.
pub(crate) fn executable(path: &CStr) -> Result<()> {
    use rustix::fs::{Access, accessat};
    retry_on_intr(|| accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()))?;
    match FileType::from_raw_mode(stat(path)?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::ACCESS),
    }
}
