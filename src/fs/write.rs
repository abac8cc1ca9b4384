//! Writing files: aside, made durable, renamed, the directory made durable. A power cut or a full file system leaves what
//! was there or the whole new file, never an empty one.
//!
//! Each file that lasts goes through [`Batch::put`]. The machine writes the files of a step together: all of them, one
//! syncfs(2), their names, one syncfs(2). In a container that would write out all that the host has in memory, so there it is
//! one fsync(2) a file and one a directory. In memory (tmpfs, ramfs) nothing lasts, and nothing waits.

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

/// How the name begins that a file has while it is being written; the file's own name follows.
const TEMPORARY: &[u8] = b".dockerlaunch.new";

/// The longest file name, and its NUL.
type Name = Text<256>;

/// TMPFS_MAGIC and RAMFS_MAGIC (linux/magic.h).
const IN_MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58F6];

/// What stands under a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Nothing,
    /// A regular file without contents, as a power cut leaves it.
    Empty,
    Something,
}

/// What a new file may take the place of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// An empty file. Anything else that appears under the name meanwhile wins.
    Empty,
    /// Whatever stands there, but for a directory or a mount.
    #[cfg(feature = "network")]
    Anything,
}

/// A batch is gone through twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Write,
    /// What waits gets its name.
    Rename,
    /// What waits could not be made durable: it is taken away.
    Discard,
}

/// Files that one step writes.
pub(crate) struct Batch {
    together: bool,
    /// The device of the file system that all who wait lie on.
    device: Option<u64>,
    waiting: bool,
    /// In the directory that is being filled a file got its name, which is not durable yet.
    renamed: bool,
}

impl Batch {
    pub(crate) const fn new(together: bool) -> Self {
        Self {
            together,
            device: None,
            waiting: false,
            renamed: false,
        }
    }

    /// Whether files wait for their names.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// A file that waits stands there already. An empty one that is mounted is its owner's choice.
    pub(crate) fn existing(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Existing> {
        let existing = match lstat(parent, name)? {
            Some(stat) if !is_empty_file(stat.st_mode, stat.st_size) => Existing::Something,
            Some(_) if is_mount(parent, name)? => Existing::Something,
            Some(_) => Existing::Empty,
            None => Existing::Nothing,
        };
        if existing != Existing::Something && self.waiting && has_temporary(parent, name)? {
            return Ok(Existing::Something);
        }
        Ok(existing)
    }

    /// Writes a file: `fill` gives it contents, owner and mode.
    pub(crate) fn put(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        over: Over,
        fill: &mut dyn FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<()> {
        let (temporary, is_own) = temporary_name(name);
        let file = create(parent, temporary.as_c_str())?;
        let mut finish = || {
            fill(file.as_fd())?;
            if IN_MEMORY.contains(&fstatfs(&file)?.f_type) {
                return rename_into_place(parent, temporary.as_c_str(), name, over);
            }
            if self.together && is_own && self.shares(&file)? {
                self.waiting = true;
                return Ok(());
            }
            durable(retry_on_intr(|| fsync(&file)))?;
            rename_into_place(parent, temporary.as_c_str(), name, over)?;
            self.renamed = true;
            Ok(())
        };
        finish().inspect_err(|_| remove(parent, temporary.as_c_str()))
    }

    /// Whether the file lies where the first one lies: only that file system is synced.
    fn shares(&mut self, file: &OwnedFd) -> Result<bool> {
        let device = fstat(file)?.st_dev;
        Ok(*self.device.get_or_insert(device) == device)
    }

    /// A file that waits gets its name, or is taken away.
    pub(crate) fn finish(&self, parent: BorrowedFd<'_>, name: &CStr, pass: Pass) -> Result<()> {
        let (temporary, _) = temporary_name(name);
        let temporary = temporary.as_c_str();
        if !exists(parent, temporary)? {
            return Ok(()); // it does not wait
        }
        if pass == Pass::Discard {
            remove(parent, temporary);
            return Ok(());
        }
        rename_into_place(parent, temporary, name, Over::Empty)
            .inspect_err(|_| remove(parent, temporary))
    }

    /// All that was written is durable, and so are the names.
    pub(crate) fn sync(on: BorrowedFd<'_>) -> Result<()> {
        durable(retry_on_intr(|| syncfs(on)))
    }

    /// Another directory is filled; the state of the one around it is given back to [`Batch::leave`].
    pub(crate) fn enter(&mut self) -> bool {
        core::mem::take(&mut self.renamed)
    }

    /// The directory is full: the names in it are made durable, where that is not done for all of them together.
    pub(crate) fn leave(&mut self, directory: BorrowedFd<'_>, around: bool) -> Result<()> {
        if core::mem::replace(&mut self.renamed, around) {
            durable(retry_on_intr(|| fsync(directory)))?;
        }
        Ok(())
    }
}

/// For [`Batch::put`].
pub(crate) fn fill(file: BorrowedFd<'_>, contents: &[u8], mode: u32) -> Result<()> {
    write_all(file, contents)?;
    fchmod(file, Mode::from_raw_mode(mode))
}

/// Writes a file anew, for everybody to read: whole under its name, or in place where it is a mount point of Docker's,
/// which cannot be replaced and may be all that can be written. The same contents are not written again.
#[cfg(feature = "network")]
pub(crate) fn replace(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<()> {
    if holds(parent, name, contents)? {
        return Ok(());
    }
    let mut batch = Batch::new(false);
    let put = batch.put(parent, name, Over::Anything, &mut |file| {
        fill(file, contents, 0o644)
    });
    match put.and_then(|()| batch.leave(parent, false)) {
        Err(Errno::BUSY | Errno::ROFS) => overwrite(parent, name, contents),
        other => other,
    }
}

/// Whether these are its contents already.
#[cfg(feature = "network")]
fn holds(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat(parent, name, flags, Mode::empty()) else {
        return Ok(false); // nothing, a link, or what the write will report
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

/// The space is taken before the old contents go, and their end is cut off last.
#[cfg(feature = "network")]
fn overwrite(parent: BorrowedFd<'_>, name: &CStr, contents: &[u8]) -> Result<()> {
    use rustix::fs::{FallocateFlags, fallocate, ftruncate};
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    let length = contents.len() as u64;
    // Not every file system can.
    durable(fallocate(&file, FallocateFlags::empty(), 0, length))?;
    write_all(file.as_fd(), contents)?;
    ftruncate(&file, length)?;
    durable(retry_on_intr(|| fsync(&file)))
}

/// Takes away what a launch that was cut has left in a directory. What is no file is not ours.
pub(crate) fn remove_temporary(directory: BorrowedFd<'_>) -> Result<()> {
    super::entries(directory, &mut |name| {
        if name.to_bytes().starts_with(TEMPORARY) {
            remove(directory, name);
        }
        Ok(())
    })
}

/// What is in the way of a file that could not be written: the name it would have had meanwhile, or its own.
pub(crate) fn blocking_name(parent: BorrowedFd<'_>, name: &CStr) -> Result<Name> {
    let (temporary, _) = temporary_name(name);
    if exists(parent, temporary.as_c_str())? {
        return Ok(temporary);
    }
    Text::of(&[name.to_bytes()]).map_err(|_| Errno::NAMETOOLONG)
}

/// The name aside, and whether it is this file's own: a name that would be too long shares one, and does not wait.
fn temporary_name(name: &CStr) -> (Name, bool) {
    let mut temporary = Name::new();
    let is_own = temporary.set(&[TEMPORARY, b".", name.to_bytes()]).is_ok();
    if !is_own {
        let _ = temporary.set(&[TEMPORARY]);
    }
    (temporary, is_own)
}

fn has_temporary(parent: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    let (temporary, _) = temporary_name(name);
    exists(parent, temporary.as_c_str())
}

/// A fresh file; one that an earlier launch left is taken away first.
fn create(parent: BorrowedFd<'_>, temporary: &CStr) -> Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o600);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, temporary, flags, mode) {
        Err(Errno::EXIST) => {
            unlinkat(parent, temporary, AtFlags::empty())?;
            openat(parent, temporary, flags, mode)
        }
        other => other,
    }
}

/// If it cannot be taken away, the next launch tries again.
fn remove(parent: BorrowedFd<'_>, temporary: &CStr) {
    unlinkat(parent, temporary, AtFlags::empty()).unwrap_or(());
}

fn rename_into_place(
    parent: BorrowedFd<'_>,
    temporary: &CStr,
    name: &CStr,
    over: Over,
) -> Result<()> {
    let replace = || renameat(parent, temporary, parent, name);
    match over {
        #[cfg(feature = "network")]
        Over::Anything => replace(),
        Over::Empty => match renameat_with(parent, temporary, parent, name, RenameFlags::NOREPLACE)
        {
            // Not every file system has the flag; that nothing stands there was looked up before.
            Err(Errno::INVAL) => replace(),
            Err(Errno::EXIST) => {
                let there = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if is_empty_file(there.st_mode, there.st_size) {
                    return replace();
                }
                remove(parent, temporary);
                Ok(())
            }
            other => other,
        },
    }
}

fn is_empty_file(mode: u32, size: i64) -> bool {
    size == 0 && FileType::from_raw_mode(mode) == FileType::RegularFile
}

/// What a file system cannot do, it need not do.
fn durable(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
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
