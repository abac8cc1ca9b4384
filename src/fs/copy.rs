//! Copies what is missing from one tree of files to another, with owners and modes; on request also the mounts in it. Nothing is
//! overwritten or written through a link; only an empty file, as a power cut leaves it, is written again.
//!
//! What cannot be copied is reported with its path, and the caller decides whether to go on.

use crate::{
    fs::{self, Batch, Existing, PATH, Pass, Put, Replace},
    text::{Text, TooLong},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{
        AtFlags, FileType, Mode, OFlags, SeekFrom, Stat, fchmod, fchown, mkdirat, openat,
        readlinkat_raw, seek, sendfile, statat, unlinkat,
    },
    io::{Errno, Result},
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
    process::{Gid, Uid},
};

pub(crate) use fs::is_mount;

/// How deep a tree may be.
const DEPTH: u8 = 32;

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// What to copy.
#[derive(Clone, Copy)]
pub(crate) struct Copy {
    /// This directory, by device and inode, is copied without its contents.
    pub(crate) empty: Option<(u64, u64)>,
    /// Copy files, links and empty directories.
    pub(crate) files: bool,
    /// Mount in the copy what is mounted on a file or directory; otherwise its contents are copied.
    pub(crate) mounts: bool,
}

/// Directories, files and links, but no mounts.
pub(crate) const FILES: Copy = Copy {
    empty: None,
    files: true,
    mounts: false,
};

/// What is reported about a path.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// It could not be copied.
    Refused(Errno),
    /// Its owner could not be kept, so its set-user-ID and set-group-ID bits were cleared.
    Disowned(Errno),
    /// It was empty and has been written again.
    Again,
}

/// Receives the reports. If it returns an error, copying ends.
pub(crate) type Report<'r> = &'r mut dyn FnMut(&[u8], Event) -> Result<()>;

impl Copy {
    /// Copies what is missing in `to`, whose path is `path`. What cannot be copied is reported. A mount that cannot be copied ends
    /// copying, because the copy would hide it.
    pub(crate) fn missing(
        self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        path: &CStr,
        (batch, pass): (&mut Batch, Pass),
        report: Report<'_>,
    ) -> Result<()> {
        let mut walk = Walk {
            copy: self,
            batch,
            pass,
            path: fs::path(&[path.to_bytes()]),
            report,
            hides: false,
        };
        walk.tree(from, to, DEPTH)
    }
}

struct Walk<'w> {
    copy: Copy,
    batch: &'w mut Batch,
    pass: Pass,
    /// The path of the directory, or of its entry being copied.
    path: Text<PATH>,
    report: Report<'w>,
    /// A mount could not be copied, and the copy would hide it.
    hides: bool,
}

impl Walk<'_> {
    fn tree(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u8) -> Result<()> {
        let deeper = depth.checked_sub(1).ok_or(Errno::LOOP)?;
        if self.pass != Pass::Write {
            seek(from, SeekFrom::Start(0))?; // the first pass has read it to its end
        }
        let around = self.batch.enter();
        let walked = fs::entries(from, &mut |name| {
            let length = self.path.as_bytes().len();
            let copied = self
                .step_down(name)
                .and_then(|()| self.entry(from, to, name, deeper));
            let reported = copied.or_else(|errno| {
                if self.hides {
                    return Err(errno);
                }
                self.path.cut(length);
                // If the path would be too long, its directory is reported.
                self.step_down(fs::blocking_name(to, name)?.as_c_str())
                    .unwrap_or(());
                (self.report)(self.path.as_bytes(), Event::Refused(errno))
            });
            self.path.cut(length);
            reported
        });
        let durable = self.batch.leave(to, around);
        walked.and(durable)
    }

    fn step_down(&mut self, name: &CStr) -> Result<()> {
        let longer = self.path.push(b"/");
        longer
            .and_then(|()| self.path.push(name.to_bytes()))
            .map_err(|TooLong| Errno::NAMETOOLONG)
    }

    fn entry(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        deeper: u8,
    ) -> Result<()> {
        if self.copy.mounts && is_mount(from, name)? {
            return take_mount(from, to, name).inspect_err(|_| self.hides = true);
        }
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.directory(from, to, name, &stat, deeper),
            _ if !self.copy.files => Ok(()),
            FileType::RegularFile => self.file(from, to, name, &stat),
            FileType::Symlink if self.pass == Pass::Write => link(from, to, name),
            _ => Ok(()),
        }
    }

    fn directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
        deeper: u8,
    ) -> Result<()> {
        let made = match self.pass {
            Pass::Write => mkdirat(to, name, Mode::from_raw_mode(stat.st_mode)),
            Pass::Rename | Pass::Discard => Err(Errno::EXIST),
        };
        let target = match (made, fs::subdirectory(to, name)) {
            // A file or a link is there and is kept.
            (Err(Errno::EXIST), Err(Errno::NOTDIR | Errno::LOOP)) => return Ok(()),
            // The first pass could not make it, and has reported that.
            (Err(Errno::EXIST), Err(Errno::NOENT)) if self.pass != Pass::Write => return Ok(()),
            (Err(Errno::EXIST), target) => {
                let target = target?;
                if self.pass == Pass::Write {
                    fs::remove_temporary(target.as_fd())?;
                }
                target
            }
            (Err(errno), _) => return Err(errno),
            (Ok(()), target) => {
                let target = target?;
                self.own(target.as_fd(), stat)?;
                target
            }
        };
        if self.copy.empty == Some((stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        let source = fs::subdirectory(from, name)?;
        self.tree(source.as_fd(), target.as_fd(), deeper)?;
        if !self.copy.files {
            // This fails, as it should, where something is mounted in it.
            let _ = unlinkat(to, name, AtFlags::REMOVEDIR);
        }
        Ok(())
    }

    fn own(&mut self, target: BorrowedFd<'_>, stat: &Stat) -> Result<()> {
        own(target, stat)?.map_or(Ok(()), |errno| {
            (self.report)(self.path.as_bytes(), Event::Disowned(errno))
        })
    }

    fn file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
    ) -> Result<()> {
        if self.pass != Pass::Write {
            if Batch::waits(to, name)? {
                Batch::finish(to, name, self.pass)?;
            }
            return Ok(());
        }
        let existing = Batch::existing(to, name)?;
        if existing == Existing::Something || existing == Existing::Empty && stat.st_size == 0 {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = openat(from, name, flags, Mode::empty())?;
        let mut disowned = None;
        let put = self.batch.put(to, name, Replace::Empty, &mut |target| {
            loop {
                match sendfile(target, &source, None, 1 << 20) {
                    Ok(0) => break,
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            disowned = own(target, stat)?;
            Ok(())
        })?;
        if let Some(errno) = disowned {
            (self.report)(self.path.as_bytes(), Event::Disowned(errno))?;
        }
        if existing == Existing::Empty && put != Put::Second {
            (self.report)(self.path.as_bytes(), Event::Again)?;
        }
        Ok(())
    }
}

fn link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let mut target = [0; PATH];
    // readlink(2) adds no NUL: the last byte of the buffer stays 0.
    let room = target.get_mut(..PATH - 1).unwrap_or_default();
    readlinkat_raw(from, name, room)?;
    let target = CStr::from_bytes_until_nul(&target).unwrap_or_default();
    fs::make_link(to, name, target)
}

/// Sets owner and mode; owner first, because chown(2) clears set-user-ID and set-group-ID. Where the owner cannot be kept, as in
/// an unprivileged launch, these bits would take effect for the wrong user: they are cleared, and the reason is returned.
fn own(fd: BorrowedFd<'_>, stat: &Stat) -> Result<Option<Errno>> {
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let owned = fchown(fd, Some(user), Some(group)).err();
    let lost = if owned.is_some() { SET_ID } else { 0 };
    fchmod(fd, Mode::from_raw_mode(stat.st_mode & !lost))?;
    Ok(owned.filter(|_| stat.st_mode & SET_ID != 0))
}

/// Mounts the same in the copy, with all mounts below it.
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
