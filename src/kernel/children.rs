//! Children of this process: a function in a forked child, which may exec a program of the image and is waited for up to a limit;
//! and programs that run on.

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
#[cfg(feature = "supervise")]
use rustix::{
    io::{fcntl_dupfd_cloexec, read, write},
    pipe::{PipeFlags, pipe_with},
    process::setsid,
};

/// How long exec may take to read the program, in seconds.
#[cfg(feature = "supervise")]
const EXEC: u64 = 60;
/// Between two checks of a child without a pidfd, in milliseconds.
const LONGEST_PAUSE: u64 = 100;

/// Runs `work` in a child and returns its exit status, or 128 plus the signal that killed it. After `seconds` the child is
/// killed, and the result is `TIMEDOUT`; a shutdown asked for through `requests` does the same with `CANCELED`.
pub(crate) fn in_child(
    seconds: u32,
    requests: Option<&Requests>,
    work: &mut dyn FnMut() -> u8,
) -> Result<u8> {
    Child::start(work)?.finish(seconds, requests)
}

/// A child that runs beside this process until [`Child::finish`]. If it is dropped before that, it is killed.
pub(crate) struct Child {
    pid: Option<Pid>,
    started: u64,
}

impl Child {
    pub(crate) fn start(work: &mut dyn FnMut() -> u8) -> Result<Self> {
        let started = sys::since_boot();
        match sys::fork()? {
            pid @ Some(_) => Ok(Self { pid, started }),
            None => sys::exit(work()),
        }
    }

    /// As [`in_child`]; the seconds count from its start.
    pub(crate) fn finish(mut self, seconds: u32, requests: Option<&Requests>) -> Result<u8> {
        let Some(child) = self.pid.take() else {
            return Err(Errno::CHILD);
        };
        let ended = wait(child, self.started + u64::from(seconds) * 1000, requests);
        if ended.is_err() {
            kill(child);
        }
        let status = waitpid(Some(child), WaitOptions::NOHANG);
        ended?;
        let status = status?;
        let status = status.map_or(0xff00, |(_, status)| status.as_raw().cast_unsigned());
        Ok(match status & 0x7f {
            0 => (status >> 8) as u8,
            signal => 128 + signal as u8,
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(child) = self.pid {
            kill(child);
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
}

/// Ends a program: SIGTERM, and after `milliseconds` SIGKILL.
#[cfg(feature = "supervise")]
pub(crate) fn end(program: Pid, milliseconds: u64) {
    let _ = kill_process(program, Signal::TERM);
    if wait(program, sys::since_boot() + milliseconds, None).is_err() {
        kill(program);
    }
    let _ = waitpid(Some(program), WaitOptions::NOHANG);
}

/// Kills it, and waits until it is dead. A child that hangs in the kernel does not die: it is left behind.
fn kill(child: Pid) {
    let _ = kill_process(child, Signal::KILL);
    let _ = wait(child, sys::since_boot() + 1000, None);
}

/// Starts a program that runs on: `exec` executes it in a child with its own session, and returns only if that fails. Waits until
/// it is executed, at most `EXEC` seconds. `late` reports an error that comes after that, from either process.
///
/// # Errors
/// Those of fork(2) and execve(2).
#[cfg(feature = "supervise")]
pub(crate) fn execute(
    requests: &Requests,
    exec: &mut dyn FnMut() -> Errno,
    late: &dyn Fn(Errno),
) -> Result<Pid> {
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC)?;
    // Above the descriptors that are passed on.
    let writes = fcntl_dupfd_cloexec(writes, 64)?;
    let Some(child) = sys::fork()? else {
        let _ = setsid();
        requests.restore();
        let errno = exec();
        if write(&writes, &errno.raw_os_error().to_ne_bytes()).is_err() {
            // Linux 5.10 has closed the pipe.
            late(errno);
        }
        sys::exit(126)
    };
    drop(writes);
    let mut errno = [0; 4];
    let told = requests.wait(reads.as_fd(), sys::since_boot() + EXEC * 1000);
    match told.and_then(|()| retry_on_intr(|| read(&reads, &mut errno))) {
        // The child ends by itself, and is reaped like any other.
        Ok(4) => Err(Errno::from_raw_os_error(i32::from_ne_bytes(errno))),
        // The program runs, or a shutdown was requested.
        Ok(_) | Err(Errno::CANCELED) => Ok(child),
        Err(errno) => {
            late(errno);
            Ok(child)
        }
    }
}

/// Waits until the child has ended; does not reap it.
fn wait(child: Pid, deadline: u64, requests: Option<&Requests>) -> Result<()> {
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
