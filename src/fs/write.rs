//! Writing files: write a temporary file, sync it, rename it, sync the directory. So a power cut or a full file system leaves
//! the old file or the whole new one, never an empty one.
//!
//! [`Batch::put`] does this. The machine writes the files of a step in one go: all temporary files, one syncfs(2), all renames,
//! one syncfs(2). In a container syncfs would write out the host's dirty pages, so there it is one fsync(2) for each file and
//! directory. On tmpfs and ramfs nothing is synced.

use super::{exists, is_mount, lstat};
use crate::text::Text;
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, FileType, FsWord, Mode, OFlags, RenameFlags, fchmod, fstat, fstatfs, fsync, open,
        openat, renameat, renameat_with, statat, syncfs, unlinkat,
    },
    io::{Errno, Result, retry_on_intr, write},
};

/// The prefix of a temporary file's name; the final name follows.
const TEMPORARY: &[u8] = b".dockerlaunch.new";

/// The longest file name, and its NUL.
type Name = Text<256>;

/// TMPFS_MAGIC and RAMFS_MAGIC (linux/magic.h).
const IN_MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58F6];

/// What a name refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Nothing,
    /// An empty regular file, as a power cut leaves it.
    Empty,
    Something,
}

/// What a new file may replace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// An empty file. Anything else that appears under the name meanwhile is kept.
    Empty,
    /// Anything but a directory or a mount.
    #[cfg(any(feature = "network", feature = "supervise"))]
    Anything,
}

/// What became of a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It has its name.
    Named,
    /// It waits for [`Batch::finish`].
    Waits,
    /// Another file of this batch waits for the same name: nothing was written.
    Second,
}

/// The passes over a batch: Write, then Rename or Discard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Write,
    /// Rename the temporary files.
    Rename,
    /// The sync failed: remove the temporary files.
    Discard,
}

/// The files that one step writes.
pub(crate) struct Batch {
    in_one_go: bool,
    /// The file system that all waiting files are on.
    device: Option<u64>,
    /// Where the current directory is, once it is known.
    place: Option<Place>,
    waiting: bool,
    /// A file in the current directory was renamed, and the directory is not synced yet.
    renamed: bool,
}

/// The file system of a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Memory,
    /// A disk. Files wait here if it is that of all waiting files.
    Disk {
        waits: bool,
    },
}

impl Batch {
    pub(crate) const fn new(in_one_go: bool) -> Self {
        Self {
            in_one_go,
            device: None,
            place: None,
            waiting: false,
            renamed: false,
        }
    }

    /// Whether temporary files wait for their rename.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// What is there already. An empty file that is mounted is kept: somebody put it there on purpose.
    pub(crate) fn existing(parent: BorrowedFd<'_>, name: &CStr) -> Result<Existing> {
        Ok(match lstat(parent, name)? {
            Some(stat) if !is_empty_file(stat.st_mode, stat.st_size) => Existing::Something,
            Some(_) if is_mount(parent, name)? => Existing::Something,
            Some(_) => Existing::Empty,
            None => Existing::Nothing,
        })
    }

    /// Writes a file: `fill` sets its contents, owner and mode.
    pub(crate) fn put(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        over: Replace,
        fill: &mut dyn FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<Put> {
        let (temporary, is_own) = temporary_name(name);
        let may_wait = self.waiting && is_own;
        let file = match create(parent, temporary.as_c_str(), may_wait) {
            Err(Errno::EXIST) if may_wait => return Ok(Put::Second),
            file => file?,
        };
        let mut finish = || {
            fill(file.as_fd())?;
            let place = self.place(parent)?;
            if is_own && place == (Place::Disk { waits: true }) {
                self.waiting = true;
                return Ok(Put::Waits);
            }
            if place != Place::Memory {
                ignore_unsupported(retry_on_intr(|| fsync(&file)))?;
                self.renamed = true;
            }
            rename_into_place(parent, temporary.as_c_str(), name, over)?;
            Ok(Put::Named)
        };
        finish().inspect_err(|_| remove(parent, temporary.as_c_str()))
    }

    /// The file system of the current directory. Of the disks only the first one is synced in one go.
    fn place(&mut self, directory: BorrowedFd<'_>) -> Result<Place> {
        if let Some(place) = self.place {
            return Ok(place);
        }
        let place = if IN_MEMORY.contains(&fstatfs(directory)?.f_type) {
            Place::Memory
        } else if self.in_one_go {
            let device = fstat(directory)?.st_dev;
            let waits = *self.device.get_or_insert(device) == device;
            Place::Disk { waits }
        } else {
            Place::Disk { waits: false }
        };
        self.place = Some(place);
        Ok(place)
    }

    /// Whether a file of this name waits, or an earlier launch has left one.
    pub(crate) fn waits(parent: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
        let (temporary, _) = temporary_name(name);
        exists(parent, temporary.as_c_str())
    }

    /// Renames a waiting file, or removes it.
    pub(crate) fn finish(parent: BorrowedFd<'_>, name: &CStr, pass: Pass) -> Result<()> {
        let (temporary, _) = temporary_name(name);
        let temporary = temporary.as_c_str();
        if pass == Pass::Discard {
            remove(parent, temporary);
            return Ok(());
        }
        rename_into_place(parent, temporary, name, Replace::Empty)
            .inspect_err(|_| remove(parent, temporary))
    }

    /// Syncs all files and their names.
    pub(crate) fn sync(on: BorrowedFd<'_>) -> Result<()> {
        ignore_unsupported(retry_on_intr(|| syncfs(on)))
    }

    /// Starts a subdirectory. Returns its parent's state, for [`Batch::leave`].
    pub(crate) fn enter(&mut self) -> bool {
        self.place = None;
        core::mem::take(&mut self.renamed)
    }

    /// Ends a directory: syncs it, unless the whole batch is synced in one go.
    pub(crate) fn leave(&mut self, directory: BorrowedFd<'_>, around: bool) -> Result<()> {
        self.place = None;
        if core::mem::replace(&mut self.renamed, around) {
            ignore_unsupported(retry_on_intr(|| fsync(directory)))?;
        }
        Ok(())
    }
}

/// Writes contents and mode, for [`Batch::put`].
pub(crate) fn fill(file: BorrowedFd<'_>, contents: &[u8], mode: u32) -> Result<()> {
    write_all(file, contents)?;
    fchmod(file, Mode::from_raw_mode(mode))
}

/// Replaces a file, readable for everybody. Where Docker has mounted the file it cannot be replaced, and it may be the only
/// writable file there: then its contents are overwritten. Equal contents are not written again.
#[cfg(any(feature = "network", feature = "supervise"))]
pub(crate) fn replace(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<()> {
    if has_contents(parent, name, contents)? {
        return Ok(());
    }
    let mut batch = Batch::new(false);
    let put = batch.put(parent, name, Replace::Anything, &mut |file| {
        fill(file, contents, 0o644)
    });
    match put.and_then(|_| batch.leave(parent, false)) {
        Err(Errno::BUSY | Errno::ROFS) => overwrite(parent, name, contents),
        other => other,
    }
}

/// Whether the file has these contents already.
#[cfg(any(feature = "network", feature = "supervise"))]
fn has_contents(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat(parent, name, flags, Mode::empty()) else {
        return Ok(false); // missing, a link, or an error that the write will report
    };
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || usize::try_from(stat.st_size) != Ok(contents.len())
    {
        return Ok(false);
    }
    let (mut rest, mut same) = (contents.iter(), true);
    super::bytes_of(file.as_fd(), contents.len() as u64, &mut |byte| {
        same &= rest.next() == Some(&byte)
    })?;
    Ok(same && rest.next().is_none())
}

/// Allocates the space before it overwrites the contents, and truncates last.
#[cfg(any(feature = "network", feature = "supervise"))]
fn overwrite(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<()> {
    use rustix::fs::{FallocateFlags, fallocate, ftruncate};
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    let length = contents.len() as u64;
    // Not every file system supports it.
    ignore_unsupported(fallocate(&file, FallocateFlags::empty(), 0, length))?;
    write_all(file.as_fd(), contents)?;
    ftruncate(&file, length)?;
    ignore_unsupported(retry_on_intr(|| fsync(&file)))
}

/// Removes the temporary files that an interrupted launch has left. Only files: anything else is not dockerlaunch's.
pub(crate) fn remove_temporary(directory: BorrowedFd<'_>) -> Result<()> {
    super::entries(directory, &mut |name| {
        remove_if_temporary(directory, name);
        Ok(())
    })
}

/// The same for one entry of the directory.
pub(crate) fn remove_if_temporary(directory: BorrowedFd<'_>, name: &CStr) {
    if name.to_bytes().starts_with(TEMPORARY) {
        remove(directory, name);
    }
}

/// Which name to report for a file that could not be written: that of its temporary file if it exists, else its own.
pub(crate) fn blocking_name(parent: BorrowedFd<'_>, name: &CStr) -> Result<Name> {
    let (temporary, _) = temporary_name(name);
    if exists(parent, temporary.as_c_str())? {
        return Ok(temporary);
    }
    Text::of(&[name.to_bytes()]).map_err(|_| Errno::NAMETOOLONG)
}

/// A file's temporary name, and whether it is unique. Where it would be too long, a shared name is used, and the file does not
/// wait.
fn temporary_name(name: &CStr) -> (Name, bool) {
    let mut temporary = Name::new();
    let is_own = temporary.set(&[TEMPORARY, b".", name.to_bytes()]).is_ok();
    if !is_own {
        let _ = temporary.set(&[TEMPORARY]);
    }
    (temporary, is_own)
}

/// Creates the temporary file, after removing one that an earlier launch has left, unless one may wait.
fn create(parent: BorrowedFd<'_>, temporary: &CStr, may_wait: bool) -> Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o600);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, temporary, flags, mode) {
        Err(Errno::EXIST) if !may_wait => {
            unlinkat(parent, temporary, AtFlags::empty())?;
            openat(parent, temporary, flags, mode)
        }
        other => other,
    }
}

/// If this fails, the next launch tries again.
fn remove(parent: BorrowedFd<'_>, temporary: &CStr) {
    unlinkat(parent, temporary, AtFlags::empty()).unwrap_or(());
}

fn rename_into_place(
    parent: BorrowedFd<'_>,
    temporary: &CStr,
    name: &CStr,
    over: Replace,
) -> Result<()> {
    let replace = || renameat(parent, temporary, parent, name);
    match over {
        #[cfg(any(feature = "network", feature = "supervise"))]
        Replace::Anything => replace(),
        Replace::Empty => {
            match renameat_with(parent, temporary, parent, name, RenameFlags::NOREPLACE) {
                // The file system does not support the flag. The caller has checked that nothing is there.
                Err(Errno::INVAL) => replace(),
                Err(Errno::EXIST) => {
                    let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    if is_empty_file(found.st_mode, found.st_size) {
                        return replace();
                    }
                    remove(parent, temporary);
                    Ok(())
                }
                other => other,
            }
        }
    }
}

fn is_empty_file(mode: u32, size: i64) -> bool {
    size == 0 && FileType::from_raw_mode(mode) == FileType::RegularFile
}

/// A call that the file system does not support counts as done.
fn ignore_unsupported(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

/// Writes all bytes, with as many write(2) as it takes.
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

/// Writes one word to a file of the kernel: a sysctl or a cgroup file.
pub(crate) fn write_word(path: &CStr, word: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = retry_on_intr(|| open(path, flags, Mode::empty()))?;
    // In one write: the kernel parses each write on its own.
    retry_on_intr(|| write(&file, word)).map(|_| ())
}
