//! Copying a tree of files: what it has and another lacks, with owners and modes; and, where the copy takes its place, what is
//! mounted in it. Nothing is written over or through a link.

use crate::fs::{self, PATH};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{
        AtFlags, FileType, Mode, OFlags, Stat, StatxAttributes, StatxFlags, fchmod, fchown,
        mkdirat, openat, readlinkat_raw, sendfile, statat, statx, unlinkat,
    },
    io::{Errno, Result},
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
    process::{Gid, Uid},
};

/// How deep a tree may be.
const DEPTH: u8 = 32;

/// What is copied.
#[derive(Clone, Copy)]
pub(crate) struct Copy {
    /// Of this directory, by device and inode, only itself.
    pub(crate) empty: Option<(u64, u64)>,
    /// Files, links, and directories that are empty.
    pub(crate) files: bool,
    /// What is mounted on a file or a directory is mounted in the copy, too; else its contents are copied.
    pub(crate) mounts: bool,
}

/// Directories, files and links.
pub(crate) const FILES: Copy = Copy {
    empty: None,
    files: true,
    mounts: false,
};

impl Copy {
    /// Copies what `from` has and `to` lacks. Stops at the first thing that cannot be copied.
    pub(crate) fn missing(self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
        self.tree(from, to, DEPTH)
    }

    fn tree(self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u8) -> Result<()> {
        let deeper = depth.checked_sub(1).ok_or(Errno::LOOP)?;
        fs::entries(from, &mut |name| {
            if self.mounts && is_mount(from, name)? {
                return take_mount(from, to, name);
            }
            let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let made = mkdirat(to, name, Mode::from_raw_mode(stat.st_mode));
                    let target = match (made, fs::subdirectory(to, name)) {
                        // A file or a link stands there: it is the owner's choice.
                        (Err(Errno::EXIST), Err(Errno::NOTDIR | Errno::LOOP)) => return Ok(()),
                        (Err(Errno::EXIST), target) => target?,
                        (Err(errno), _) => return Err(errno),
                        (Ok(()), target) => target.inspect(|fd| own(fd.as_fd(), &stat))?,
                    };
                    if self.empty == Some((stat.st_dev, stat.st_ino)) {
                        return Ok(());
                    }
                    let source = fs::subdirectory(from, name)?;
                    self.tree(source.as_fd(), target.as_fd(), deeper)?;
                    if !self.files {
                        // It stays where something was mounted in it.
                        let _ = unlinkat(to, name, AtFlags::REMOVEDIR);
                    }
                    Ok(())
                }
                _ if !self.files => Ok(()),
                FileType::RegularFile if fs::look(to, name)?.is_none() => {
                    file(from, to, name, &stat)
                }
                FileType::Symlink => link(from, to, name),
                _ => Ok(()),
            }
        })
    }
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let source = openat(from, name, flags, Mode::empty())?;
    let target = fs::aside(to, Mode::from_raw_mode(0o600))?;
    let copied = loop {
        match sendfile(&target, &source, None, 1 << 20) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(errno) => break Err(errno),
        }
    };
    own(target.as_fd(), stat);
    fs::finish_new(to, name, copied)
}

fn link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let mut target = [0; PATH];
    // readlink gives no NUL: the last byte of the buffer is kept for it.
    let room = target.get_mut(..PATH - 1).unwrap_or_default();
    readlinkat_raw(from, name, room)?;
    let target = CStr::from_bytes_until_nul(&target).unwrap_or_default();
    fs::make_link(to, name, target)
}

/// Owner first: a change of owner clears set-user-ID. An unprivileged launch keeps its own.
fn own(fd: BorrowedFd<'_>, stat: &Stat) {
    let _ = fchown(
        fd,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    );
    let _ = fchmod(fd, Mode::from_raw_mode(stat.st_mode));
}

/// By the mount itself: a file of an overlay can have another device than its directory.
pub(crate) fn is_mount(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = statx(directory, name, flags, StatxFlags::empty())?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Mounts the same there, with all that is mounted below it.
fn take_mount(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // AT_RECURSIVE, which is a flag of open_tree(2) as well.
    let recursive = OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | recursive;
    let mounted = open_tree(from, name, flags)?;
    let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        fs::make_directory(to, name, Mode::from_raw_mode(0o755))?;
    } else {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(to, name, flags, Mode::from_raw_mode(0o644))?;
    }
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mounted.as_fd(), c"", to, name, whole)
}
