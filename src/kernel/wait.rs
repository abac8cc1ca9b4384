//! Waits until something can be read, with poll(2) and a deadline; there is no fixed delay.

use crate::sys;
use rustix::{
    event::{PollFd, Timespec, poll},
    io::{Errno, Result},
};

/// Waits until something can be read; `TIMEDOUT` when the kernel's clock reaches `deadline`.
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

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;
