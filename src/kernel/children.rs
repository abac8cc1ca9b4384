//! A function in a forked child, which may exec a program of the image: waited for, and never longer than told.

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

/// In milliseconds.
const LONGEST_PAUSE: u64 = 100;

/// Runs `work` in a child of its own and gives its exit status, or 128 and the signal that killed it; `TIMEDOUT` after so many seconds, when it is killed, and
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
        let _ = kill_process(child, Signal::KILL);
        // What hangs in the kernel does not die: it is left behind.
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

/// Until the child has ended; it is not reaped yet.
fn wait(child: Pid, seconds: u32, requests: Option<&Requests>) -> Result<()> {
    let deadline = sys::since_boot() + u64::from(seconds) * 1000;
    match (pidfd_open(child, PidfdFlags::empty()), requests) {
        (Ok(child), Some(requests)) => requests.wait(child.as_fd(), deadline),
        (Ok(child), None) => readable(&mut [PollFd::new(&child, PollFlags::IN)], deadline),
        (Err(_), _) => look(child, deadline),
    }
}

/// The same where the kernel has no descriptor to spare: it is looked at again and again, less and less often.
fn look(child: Pid, deadline: u64) -> Result<()> {
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
