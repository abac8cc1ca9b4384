//! A program of the image (modprobe, mkfs, udhcpc …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    command::{Command, ROOM},
    launch::Launch,
    run,
    sys::{self, Words},
};
use core::ffi::CStr;
use rustix::io::{Errno, Result};

/// The program's name, the most words that modprobe is given, and the null pointer.
const MOST: usize = 80;

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
/// `NOENT`: the image has no such program; `TOOBIG`: more than 78 words; `TIMEDOUT` after so many seconds and `CANCELED` when
/// the end is asked for: it is killed.
pub(crate) fn run(
    launch: &Launch<'_>,
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
    at_end: AtEnd,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|_| Errno::NOENT)?;
    let mut all: Words<'_, MOST> = Words::new();
    let fits = core::iter::once(&program)
        .chain(words)
        .all(|word| all.push(word));
    if !fits {
        return Err(Errno::TOOBIG);
    }
    let requests = (at_end == AtEnd::Killed).then_some(&launch.requests);
    run::in_child(seconds, requests, &mut || {
        launch.requests.restore();
        let mut environment = Words::<ROOM>::new();
        let _ = environment.push_all(command.environment());
        sys::execve(path.as_c_str(), &all, &environment);
        127
    })
}
