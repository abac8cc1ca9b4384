//! Reading: files and directories, whole, in pieces, by lines or by entries.

use crate::sys;
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{Mode, OFlags, open},
    io::{Errno, Result, read},
};

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
