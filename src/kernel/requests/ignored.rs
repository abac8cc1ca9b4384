//! Requests without the feature `supervise`: the same functions, but they ignore requests.

use crate::{
    kernel::wait::readable,
    log::Log,
    settings::{Role, Settings},
};
use rustix::{
    event::{PollFd, PollFlags},
    fd::BorrowedFd,
    io::{Errno, Result},
    process::{Pid, WaitOptions, wait},
    system::RebootCommand,
};

pub(crate) type SavedMask = ();

#[doc(hidden)]
pub fn block_signals(_: &mut Settings<'_>) {}

pub(crate) fn blocked<T>(_: &Settings<'_>, work: impl FnOnce(SavedMask) -> T) -> T {
    work(())
}

pub(crate) fn restore(_: &Settings<'_>) {}

pub(crate) struct Requests;

impl Requests {
    pub(crate) fn open(_: Role, _: bool, (): SavedMask) -> Self {
        Self
    }

    pub(crate) fn wait(&self, from: BorrowedFd<'_>, deadline: u64) -> Result<()> {
        let from = PollFd::from_borrowed_fd(from, PollFlags::IN);
        readable(&mut [from], deadline)
    }

    #[cfg(any(feature = "modprobe", feature = "network", feature = "state"))]
    pub(crate) fn restore(&self) {}

    pub(crate) fn hand_over(&self) {}
}

pub(crate) fn are_pending() -> bool {
    false
}

/// There is never a request.
pub(crate) enum EndRequest {}

impl EndRequest {
    pub(crate) fn status(&self) -> u8 {
        match *self {}
    }

    pub(crate) fn log(&self, _: Log) {
        match *self {}
    }

    pub(crate) fn command(&self) -> (Option<RebootCommand>, &'static str) {
        match *self {}
    }
}

pub(crate) fn end_request(_: Role) -> Option<EndRequest> {
    None
}

/// Waits until this child of PID 1 has ended. Reaps orphans meanwhile.
pub(crate) fn until_ended(child: Pid) -> Result<Option<EndRequest>> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) if pid == child => return Ok(None),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
