//! A program of the image (modprobe, mkfs …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    command::Command,
    launch::Launch,
    run,
    sys::{self, Words},
};
use core::ffi::CStr;
use rustix::io::{Errno, Result};

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
/// `NOENT`: the image has no such program; `TIMEDOUT` after so many seconds and `CANCELED` when the end is asked for: it is
/// killed.
pub(crate) fn run(
    launch: &Launch<'_>,
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
    at_end: AtEnd,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|_| Errno::NOENT)?;
    let words = Words::of(core::iter::once(&program).chain(words).copied())?;
    let environment = Words::of(command.environment())?;
    let requests = (at_end == AtEnd::Killed).then_some(&launch.requests);
    run::in_child(seconds, requests, &mut || {
        launch.requests.restore();
        sys::execve(path.as_c_str(), &words, &environment);
        127
    })
}
