//! A function in a forked child, which may exec a program of the image: waited for, and never longer than told.

use crate::sys;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, Result},
    process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid},
};

/// Runs `work` in a child of its own and gives its exit status; `TIMEDOUT` after so many seconds, when it is killed.
pub(crate) fn in_child(seconds: u32, work: &mut dyn FnMut() -> u8) -> Result<u8> {
    let Some(child) = sys::fork()? else {
        sys::exit(work())
    };
    let ended = wait(child, seconds);
    if ended.is_err() {
        kill_process(child, Signal::KILL)?;
        // What hangs in the kernel does not die: it is left behind.
        let _ = wait(child, 1);
    }
    let status = waitpid(Some(child), WaitOptions::NOHANG)?;
    ended?;
    let status = status.and_then(|(_, status)| status.exit_status());
    Ok(status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(u8::MAX))
}

/// Until the child has ended; it is not reaped yet.
fn wait(child: Pid, seconds: u32) -> Result<()> {
    let descriptor = pidfd_open(child, PidfdFlags::empty())?;
    readable(
        &mut [PollFd::new(&descriptor, PollFlags::IN)],
        sys::since_boot() + u64::from(seconds) * 1000,
    )
}

/// Until something can be read, or the kernel's clock has come to `deadline`: then `TIMEDOUT`.
pub(crate) fn readable(from: &mut [PollFd<'_>], deadline: u64) -> Result<()> {
    loop {
        let left = deadline.saturating_sub(sys::since_boot()).cast_signed();
        let limit = Timespec {
            tv_sec: left / 1000,
            tv_nsec: left % 1000 * 1_000_000,
        };
        let limit = (deadline != NEVER).then_some(&limit);
        match poll(from, limit) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Err(Errno::INTR) => {}
            outcome => return outcome.map(|_| ()),
        }
    }
}

/// A deadline that does not come.
pub(crate) const NEVER: u64 = u64::MAX;
