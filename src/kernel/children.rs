//! Runs a function in a forked child, which may exec a program of the image, and waits for it up to a limit.

pub(crate) use crate::kernel::wait::readable;
use crate::{kernel::requests::Requests, sys};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    io::{Errno, Result, retry_on_intr},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open,
        waitid, waitpid,
    },
};

/// Between two checks of a child without a pidfd, in milliseconds.
const LONGEST_PAUSE: u64 = 100;

/// Runs `work` in a child and returns its exit status, or 128 plus the signal that killed it. After `seconds` the child is
/// killed, and the result is `TIMEDOUT`; a shutdown asked for through `requests` does the same with `CANCELED`.
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
        let _ = kill_process(child, Signal::KILL);
        // A child that hangs in the kernel does not die: it is left behind.
        let _ = wait(child, 1, None);
    }
    let status = waitpid(Some(child), WaitOptions::NOHANG)?;
    ended?;
    let status = status.map_or(0xff00, |(_, status)| status.as_raw().cast_unsigned());
    Ok(match status & 0x7f {
        0 => (status >> 8) as u8,
        signal => 128 + signal as u8,
    })
}

/// Waits until the child has ended; does not reap it.
fn wait(child: Pid, seconds: u32, requests: Option<&Requests>) -> Result<()> {
    let deadline = sys::since_boot() + u64::from(seconds) * 1000;
    match (pidfd_open(child, PidfdFlags::empty()), requests) {
        (Ok(child), Some(requests)) => requests.wait(child.as_fd(), deadline),
        (Ok(child), None) => readable(&mut [PollFd::new(&child, PollFlags::IN)], deadline),
        (Err(_), _) => poll_child(child, deadline),
    }
}

/// The same without a pidfd, if none is free: checks the child at growing intervals.
fn poll_child(child: Pid, deadline: u64) -> Result<()> {
    let mut pause = 1;
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while retry_on_intr(|| waitid(WaitId::Pid(child), ended))?.is_none() {
        let now = sys::since_boot();
        if now >= deadline {
            return Err(Errno::TIMEDOUT);
        }
        let _ = readable(&mut [], deadline.min(now + pause));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}
