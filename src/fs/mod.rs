//! Files, relative to directories that are open: so that every file step can run against any directory, and no link in
//! an image leads out of it (openat2(2), RESOLVE_IN_ROOT).
//!
//! What is there already is left; new files appear whole, under their name, or not at all.

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

/// One byte more than the kernel takes, NUL included: it says itself that such a path is too long.
pub(crate) const PATH: usize = 4097;

/// How many links are followed to what is missing.
const LINKS: u8 = 8;

/// Where a file really lies, all links followed.
pub(crate) fn real_path(path_to: &CStr) -> Result<Text<PATH>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path_to, flags, Mode::empty()))?;
    let number = Decimal::new(file.as_raw_fd().unsigned_abs().into());
    let link = path(&[b"/proc/self/fd/", number.as_bytes()]);
    let mut target = [0; PATH];
    let length = readlinkat_raw(CWD, link.as_c_str(), &mut target)?;
    Ok(path(&[target.get(..length).unwrap_or_default()]))
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

    /// Makes a directory and those above it where nothing stands, and the targets of links.
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

/// A path's bytes with the NUL that system calls want. What is too long, or has a NUL, becomes a path that the kernel refuses
/// as too long: whoever uses it learns of it there.
pub(crate) fn path(parts: &[&[u8]]) -> Text<PATH> {
    let mut path = Text::new();
    if path.set(parts).is_err() {
        path.fill(b'?');
    }
    path
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
pub(crate) fn lstat(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<Stat>> {
    retry_on_intr(|| statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)).if_exists()
}

/// Whether anything stands there, if only a dangling link.
pub(crate) fn exists(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    Ok(lstat(directory, name)?.is_some())
}

/// What a path leads to, links followed.
pub(crate) fn stat(path: &CStr) -> Result<Stat> {
    retry_on_intr(|| statat(CWD, path, AtFlags::empty()))
}

/// Makes a directory where nothing stands.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &CStr, mode: Mode) -> Result<()> {
    unless_there(mkdirat(parent, name, mode))
}

/// Whether nothing stands there, or a link to nothing.
pub(crate) fn is_missing(parent: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    match accessat(parent, name, Access::EXISTS, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(true),
        there => there.map(|()| false),
    }
}

/// By the mount itself: a file of an overlay can have another device than its directory.
pub(crate) fn is_mount(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = statx(directory, name, flags, StatxFlags::empty())?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
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
    retry_on_intr(|| accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()))?;
    match FileType::from_raw_mode(stat(path)?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::ACCESS),
    }
}
