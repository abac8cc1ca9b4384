//! A function in a forked child, which may exec a program of the image: waited for, and never longer than told.

pub(crate) use crate::wait::readable;
use crate::{requests::Requests, sys};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    io::Result,
    process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid},
};

/// Runs `work` in a child of its own and gives its exit status; `TIMEDOUT` after so many seconds, when it is killed, and
/// `CANCELED` where the end is asked for by such `requests`.
pub(crate) fn in_child(
    seconds: u32,
    requests: Option<&Requests>,
    work: &mut dyn FnMut() -> u8,
) -> Result<u8> {
    let Some(child) = sys::fork()? else {
        sys::exit(work())
    };
    let ended = wait(child, seconds, requests);
    if ended.is_err() {
        kill_process(child, Signal::KILL)?;
        // What hangs in the kernel does not die: it is left behind.
        let _ = wait(child, 1, None);
    }
    let status = waitpid(Some(child), WaitOptions::NOHANG)?;
    ended?;
    let status = status.and_then(|(_, status)| status.exit_status());
    Ok(status
        .and_then(|status| u8::try_from(status).ok())
        .unwrap_or(u8::MAX))
}

/// Until the child has ended; it is not reaped yet.
fn wait(child: Pid, seconds: u32, requests: Option<&Requests>) -> Result<()> {
    let descriptor = pidfd_open(child, PidfdFlags::empty())?;
    let deadline = sys::since_boot() + u64::from(seconds) * 1000;
    match requests {
        Some(requests) => requests.wait(descriptor.as_fd(), deadline),
        None => readable(&mut [PollFd::new(&descriptor, PollFlags::IN)], deadline),
    }
}
