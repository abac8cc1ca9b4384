//! A program of the image (modprobe, mkfs, udhcpc …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    command::{Command, ROOM},
    run,
    sys::{self, Words},
};
use core::ffi::CStr;
use rustix::{
    io::{Errno, Result, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
};

/// The program's name, the most words that modprobe is given, and the null pointer.
const MOST: usize = 80;

/// Its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program; `LIBACC`: its interpreter or loader is missing; `TOOBIG`: more than 78 words;
/// `TIMEDOUT` after so many seconds, when it is killed; any other that execve(2) gives.
pub(crate) fn run(
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|error| error.errno())?;
    let mut all: Words<'_, MOST> = Words::new();
    let fits = core::iter::once(&program)
        .chain(words)
        .all(|word| all.push(word));
    if !fits {
        return Err(Errno::TOOBIG);
    }
    // It closes with exec; read when the child has ended, and not waited for.
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let outcome = run::in_child(seconds, &mut || {
        let mut environment = Words::<ROOM>::new();
        let errno = if environment.push_all(command.environment()) {
            sys::execve(path.as_c_str(), &all, &environment)
        } else {
            Errno::TOOBIG
        };
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
