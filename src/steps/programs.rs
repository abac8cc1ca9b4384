//! A program of the image (modprobe, mkfs …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    docker::command::Command,
    kernel::children,
    launch::Launch,
    sys::{self, ExecArray},
};
use core::ffi::CStr;
use rustix::{
    io::{Errno, Result, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
};

/// What becomes of the program when the end is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum AtEnd {
    /// It is killed.
    Killed,
    /// It writes to a disk, which would be of no use half-written: it is waited for.
    #[cfg(feature = "state")]
    Finishes,
}

/// Its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program; `LIBACC`: its interpreter or loader is missing; `TIMEDOUT` after so many seconds and
/// `CANCELED` when the end is asked for: it is killed; any other that execve(2) gives.
pub(crate) fn run(
    launch: &Launch<'_>,
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
    at_end: AtEnd,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|error| error.errno())?;
    let mut all_words = ExecArray::with_room(1 + words.len())?;
    all_words.push(program);
    all_words.extend(words);
    let environment = command.array_of_environment(None)?;
    let requests = (at_end == AtEnd::Killed).then_some(&launch.requests);
    // It closes with exec; read when the child has ended, and not waited for.
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let outcome = children::in_child(seconds, requests, &mut || {
        launch.requests.restore();
        let errno = sys::execve(path.as_c_str(), &all_words, &environment);
        // Where that fails, too, the status tells that something has.
        let _ = write(&writes, &errno.raw_os_error().to_ne_bytes());
        127
    });
    let mut errno = [0; 4];
    match retry_on_intr(|| read(&reads, &mut errno)) {
        Ok(4) => Err(match Errno::from_raw_os_error(i32::from_ne_bytes(errno)) {
            Errno::NOENT => Errno::LIBACC,
            errno => errno,
        }),
        _ => outcome,
    }
}
