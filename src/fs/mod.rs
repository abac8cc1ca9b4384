//! Files, relative to open directories: so every step that writes files can be tested in any directory, and no link in an image
//! leads out of it (openat2(2), RESOLVE_IN_ROOT).
//!
//! What exists already is kept. A new file appears under its name complete or not at all.

pub(crate) mod copy;
mod read;
mod write;

pub(crate) use read::*;
pub(crate) use write::*;

use crate::text::{Decimal, Text, fields};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    fs::{
        Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, StatxAttributes,
        StatxFlags, accessat, mkdirat, open, openat, openat2, readlinkat_raw, statat, statx,
        symlinkat,
    },
    io::{Errno, Result, retry_on_intr},
};

/// One byte more than the kernel accepts (PATH_MAX, NUL included): the kernel itself reports that such a path is too long.
pub(crate) const PATH: usize = 4097;

/// How many dangling links are followed.
const LINKS: u8 = 8;

/// A file's path with all links resolved.
pub(crate) fn real_path(path_to: &CStr) -> Result<Text<PATH>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path_to, flags, Mode::empty()))?;
    let number = Decimal::new(file.as_raw_fd().unsigned_abs().into());
    let link = path(&[b"/proc/self/fd/", number.as_bytes()]);
    let mut target = [0; PATH];
    let length = readlinkat_raw(CWD, link.as_c_str(), &mut target)?;
    Ok(path(&[target.get(..length).unwrap_or_default()]))
}

/// The directory that a step treats as `/`.
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

    /// Opens a directory below the root.
    pub(crate) fn directory(&self, path: &CStr) -> Result<OwnedFd> {
        self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Makes a directory and its missing parents, also those that dangling links point to.
    pub(crate) fn make_directories(&self, path_to: &[u8], mode: u32) -> Result<()> {
        self.make_all(path_to, mode, LINKS)
    }

    fn make_all(&self, path_to: &[u8], mode: u32, links: u8) -> Result<()> {
        let mut above = path(&[b"/"]);
        let mut names = fields(path_to, b'/').filter(|name| !name.is_empty());
        let mut next = names.next();
        while let Some(name) = next {
            next = names.next();
            let mode = if next.is_none() { mode } else { 0o755 };
            let parent = self.directory(above.as_c_str())?;
            let entry = path(&[name]);
            let entry = entry.as_c_str();
            make_directory(parent.as_fd(), entry, Mode::from_raw_mode(mode))?;
            if is_missing(parent.as_fd(), entry)? {
                let links = links.checked_sub(1).ok_or(Errno::LOOP)?;
                let mut target = [0; PATH];
                let length = readlinkat_raw(&parent, entry, &mut target)?;
                let target = target.get(..length).unwrap_or_default();
                let target = if target.starts_with(b"/") {
                    path(&[target])
                } else {
                    path(&[above.as_bytes(), b"/", target])
                };
                self.make_all(target.as_bytes(), mode, links)?;
            }
            above = path(&[above.as_bytes(), b"/", name]);
        }
        Ok(())
    }

    fn resolve(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        retry_on_intr(|| openat2(&self.0, path, flags, Mode::empty(), ResolveFlags::IN_ROOT))
    }
}

/// A path with the NUL that system calls need. If it is too long or contains a NUL, it becomes a path that the kernel refuses
/// as too long, so that the system call reports it.
pub(crate) fn path(parts: &[&[u8]]) -> Text<PATH> {
    let mut path = Text::new();
    if path.set(parts).is_err() {
        path.fill(b'?');
    }
    path
}

/// Opens a directory for reading, links followed.
pub(crate) fn directory(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| open(path, flags, Mode::empty()))
}

/// Opens a directory in another one, links not followed.
pub(crate) fn subdirectory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| openat(parent, name, flags, Mode::empty()))
}

/// fstatat(2), links not followed; `None` if nothing is there.
pub(crate) fn lstat(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<Stat>> {
    retry_on_intr(|| statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)).if_exists()
}

/// Whether anything is there, even a dangling link.
pub(crate) fn exists(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    Ok(lstat(directory, name)?.is_some())
}

/// stat(2): links are followed.
pub(crate) fn stat(path: &CStr) -> Result<Stat> {
    retry_on_intr(|| statat(CWD, path, AtFlags::empty()))
}

/// Makes a directory if nothing is there.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &CStr, mode: Mode) -> Result<()> {
    unless_exists(mkdirat(parent, name, mode))
}

/// Whether nothing is there, or only a dangling link.
pub(crate) fn is_missing(parent: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    match accessat(parent, name, Access::EXISTS, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(true),
        found => found.map(|()| false),
    }
}

/// Whether it is a mount point. statx(2) knows; st_dev does not, because a file on an overlay can have another device than its
/// directory.
pub(crate) fn is_mount(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = statx(directory, name, flags, StatxFlags::empty())?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Makes a symbolic link if nothing is there.
pub(crate) fn make_link(parent: BorrowedFd<'_>, name: &CStr, target: &CStr) -> Result<()> {
    unless_exists(symlinkat(target, parent, name))
}

fn unless_exists(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Whether execve(2) will accept the file: a regular file that this process may execute.
pub(crate) fn executable(path: &CStr) -> Result<()> {
    retry_on_intr(|| accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()))?;
    match FileType::from_raw_mode(stat(path)?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::ACCESS),
    }
}
