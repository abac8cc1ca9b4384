//! Waiting for what can be read, with a limit: the kernel's poll, never a sleep.

use crate::sys;
use rustix::{
    event::{PollFd, Timespec, poll},
    io::{Errno, Result},
};

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
