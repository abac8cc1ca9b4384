//! A program of the image (modprobe, mkfs, udhcpc …), looked up as the daemon is, run with its environment, and waited for.

use crate::{
    command::Command,
    run,
    sys::{self, Words},
};
use core::ffi::CStr;
use rustix::io::{Errno, Result};

/// Its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program; `TIMEDOUT` after so many seconds, when it is killed.
pub(crate) fn run(
    command: &Command<'_>,
    program: &CStr,
    words: &[&CStr],
    seconds: u32,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|_| Errno::NOENT)?;
    let words = Words::of(core::iter::once(&program).chain(words).copied())?;
    let environment = Words::of(command.environment())?;
    run::in_child(seconds, &mut || {
        sys::execve(path.as_c_str(), &words, &environment);
        127
    })
}
