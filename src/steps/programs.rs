//! Runs a program of the image (modprobe, mkfs …) and waits for it. It is looked up in the same way as the daemon and gets
//! the daemon's environment.

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

/// What happens to the program when a shutdown is requested.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum AtEnd {
    /// It is killed.
    Killed,
    /// It may finish: it writes to a disk, which would be unusable half-written.
    #[cfg(feature = "state")]
    Finishes,
}

/// Returns its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program. `LIBACC`: its interpreter or loader is missing. `TIMEDOUT`: it ran for longer
/// than `seconds` and was killed. `CANCELED`: a shutdown was requested and it was killed. Any other error of execve(2).
pub(crate) fn run(
    launch: &Launch<'_>,
    command: &Command<'_>,
    program: &CStr,
    arguments: &[&CStr],
    seconds: u32,
    at_end: AtEnd,
) -> Result<u8> {
    let path = command.look_up(program).map_err(|error| error.errno())?;
    let mut argv = ExecArray::with_room(1 + arguments.len())?;
    argv.push(program);
    argv.extend(arguments);
    let environment = command.array_of_environment(None)?;
    let requests = (at_end == AtEnd::Killed).then_some(&launch.requests);
    // exec closes it. It is read once the child has ended, without blocking.
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let outcome = children::in_child(seconds, requests, &mut || {
        launch.requests.restore();
        let errno = sys::execve(path.as_c_str(), &argv, &environment);
        // If that fails too, the exit status shows the failure.
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
