//! A function in a forked child, which may exec a program of the image: waited for, and never longer than told.

use crate::sys;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, Result},
    process::{PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid},
};

/// Runs `work` in a child of its own and gives its exit status; `TIMEDOUT` after so many seconds, when it is killed.
#[inline(never)] // smaller
pub(crate) fn in_child(seconds: u32, work: impl FnOnce() -> u8) -> Result<u8> {
    let Some(child) = sys::fork()? else {
        sys::exit(work())
    };
    let descriptor = pidfd_open(child, PidfdFlags::empty())?;
    let limit = Timespec {
        tv_sec: seconds.into(),
        tv_nsec: 0,
    };
    let ended = loop {
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)) {
            Err(Errno::INTR) => {}
            outcome => break outcome? != 0,
        }
    };
    if !ended {
        pidfd_send_signal(&descriptor, Signal::KILL)?;
    }
    let status = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            outcome => break outcome?,
        }
    };
    if !ended {
        return Err(Errno::TIMEDOUT);
    }
    let status = status.and_then(|(_, status)| status.exit_status());
    Ok(status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(u8::MAX))
}
