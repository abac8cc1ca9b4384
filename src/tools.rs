//! A program of the image (modprobe, mkfs …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    command::{Command, ROOM},
    run,
    sys::{self, Words},
};
use core::ffi::CStr;
use rustix::io::{Errno, Result};

/// The program's name, the most words that modprobe is given, and the null pointer.
const MOST: usize = 80;

/// Its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program; `TOOBIG`: more than 78 words; `TIMEDOUT` after so many seconds, when it is killed.
pub(crate) fn run(
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|_| Errno::NOENT)?;
    let mut all: Words<'_, MOST> = Words::new();
    let fits = core::iter::once(&program)
        .chain(words)
        .all(|word| all.push(word));
    if !fits {
        return Err(Errno::TOOBIG);
    }
    run::in_child(seconds, &mut || {
        let mut environment = Words::<ROOM>::new();
        let _ = environment.push_all(command.environment());
        sys::execve(path.as_c_str(), &all, &environment);
        127
    })
}
