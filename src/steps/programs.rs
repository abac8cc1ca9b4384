//! Runs a program of the image (modprobe, mkfs …) to its end. It is looked up in the same way as the daemon and gets
//! the daemon's environment.

use crate::{
    docker::command::Command,
    kernel::children::Child,
    launch::Launch,
    sys::{self, ExecArray},
};
use core::ffi::CStr;
use rustix::{
    fd::OwnedFd,
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

/// Runs it to its end and returns its exit status.
///
/// # Errors
/// `NOENT`: the image has no such program. `LIBACC`: its interpreter or loader is missing. `TIMEDOUT`: it ran for longer
/// than `seconds` and was killed. `CANCELED`: a shutdown was requested and it was killed. Any other error of execve(2).
#[cfg(feature = "state")]
pub(crate) fn run(
    launch: &Launch<'_>,
    command: &Command<'_>,
    program: &CStr,
    arguments: &[&CStr],
    seconds: u32,
    at_end: AtEnd,
) -> Result<u8> {
    Program::start(launch, command, program, arguments)?.finish(launch, seconds, at_end)
}

/// A program that runs beside the launch until [`Program::finish`].
pub(crate) struct Program {
    child: Child,
    /// Holds the errno if exec has failed. exec closes the other end. It is read once the child has ended, without blocking.
    failure: OwnedFd,
}

impl Program {
    /// # Errors
    /// `NOENT`: the image has no such program. Any other error of fork(2).
    pub(crate) fn start(
        launch: &Launch<'_>,
        command: &Command<'_>,
        program: &CStr,
        arguments: &[&CStr],
    ) -> Result<Self> {
        let path = command.look_up(program).map_err(|error| error.errno())?;
        let mut argv = ExecArray::with_room(1 + arguments.len())?;
        argv.push(program);
        argv.extend(arguments);
        let environment = command.array_of_environment(None)?;
        let (failure, writes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let child = Child::start(&mut || {
            launch.requests.restore();
            let errno = sys::execve(path.as_c_str(), &argv, &environment);
            // If that fails too, the exit status shows the failure.
            let _ = write(&writes, &errno.raw_os_error().to_ne_bytes());
            127
        })?;
        Ok(Self { child, failure })
    }

    /// As [`run`]; the seconds count from now on.
    pub(crate) fn finish(self, launch: &Launch<'_>, seconds: u32, at_end: AtEnd) -> Result<u8> {
        let requests = (at_end == AtEnd::Killed).then_some(&launch.requests);
        let outcome = self.child.finish(seconds, requests);
        let mut errno = [0; 4];
        match retry_on_intr(|| read(&self.failure, &mut errno)) {
            Ok(4) => Err(match Errno::from_raw_os_error(i32::from_ne_bytes(errno)) {
                Errno::NOENT => Errno::LIBACC,
                errno => errno,
            }),
            _ => outcome,
        }
    }
}
