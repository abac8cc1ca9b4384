//! Where the daemon is supervised.

use crate::{
    kernel::{
        power::Button,
        signals::{self, CHLD, End, INT, KILL, Meaning, PWR, Signals, TERM, meaning, name},
        wait::{NEVER, readable},
    },
    log::Log,
    settings::{Role, Settings},
    sys::{self, Action, Mask, namespaces},
};
use rustix::{
    event::{PollFd, PollFlags},
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, Result, fcntl_dupfd_cloexec},
    process::{Pid, WaitOptions, getpid, wait},
    system::{RebootCommand, reboot},
};

/// How long processes may take to end with the shell, in milliseconds.
const REST: u64 = 5000;

/// What was blocked before.
pub(crate) type SavedMask = Mask;

/// All signals wait from here on. The daemon begins with what was blocked before.
#[doc(hidden)]
pub fn block_signals(settings: &mut Settings<'_>) {
    settings.mask = Some(sys::set_signal_mask(Mask::ALL));
}

/// All signals wait while `work` is done; it is given what was blocked before the program, or its caller, began.
pub(crate) fn blocked<T>(settings: &Settings<'_>, work: impl FnOnce(SavedMask) -> T) -> T {
    let mask = sys::set_signal_mask(Mask::ALL);
    // Ignored by whoever started this process, the kernel would reap without a word.
    let action = sys::set_action(CHLD, Action::DEFAULT);
    let done = work(settings.mask.unwrap_or(mask));
    sys::set_action(CHLD, action);
    sys::set_signal_mask(mask);
    done
}

/// In a child of a launch that has failed, before it becomes another program.
pub(crate) fn restore(settings: &Settings<'_>) {
    if let Some(mask) = settings.mask {
        sys::set_signal_mask(mask);
    }
}

/// Those that have been made, or will be, of one launch.
pub(crate) struct Requests {
    before: SavedMask,
    /// Those that ask for the end: in this role, or of a daemon that replaces this process.
    ends: Mask,
    signals: Option<OwnedFd>,
    pub(crate) button: Option<Button>,
}

impl Requests {
    pub(crate) fn open(role: Role, supervises: bool, before: SavedMask) -> Self {
        let is_machine = role == Role::Machine;
        if is_machine && namespaces::PID.is_first() == Some(true) {
            // ctrl-alt-del becomes a SIGINT to PID 1: the kernel's own reset leaves no time to write anything.
            let _ = reboot(RebootCommand::CadOff);
        }
        let ends = if supervises {
            signals::ends(role)
        } else {
            Mask::NONE.with(INT).with(TERM)
        };
        // Out of the way of the descriptors that are handed over.
        let signals = sys::signal_descriptor(ends).and_then(|low| fcntl_dupfd_cloexec(low, 64));
        let button = is_machine && supervises;
        Self {
            before,
            ends,
            // Without it the waits last as long as they may.
            signals: signals.ok(),
            button: button.then(Button::open).and_then(Result::ok),
        }
    }

    /// Until `from` can be read: `TIMEDOUT` at the deadline, `CANCELED` when the end is asked for.
    pub(crate) fn wait(&self, from: BorrowedFd<'_>, deadline: u64) -> Result<()> {
        let signals = self.signals.as_ref().map_or(from, AsFd::as_fd);
        let button = self.button.as_ref().map_or(from, AsFd::as_fd);
        loop {
            let mut all = [from, signals, button]
                .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
            readable(&mut all, deadline)?;
            if self.button.as_ref().is_some_and(Button::was_pressed) {
                let _ = sys::kill(getpid().as_raw_nonzero().get(), PWR);
                return Err(Errno::CANCELED);
            }
            let [from, signals, _] = &all;
            if self.signals.is_some() && !signals.revents().is_empty() {
                return Err(Errno::CANCELED);
            }
            if !from.revents().is_empty() {
                return Ok(());
            }
        }
    }

    /// In a child, before it becomes another program.
    pub(crate) fn restore(&self) {
        sys::set_signal_mask(self.before);
    }

    /// Before this process becomes the daemon. A signal that asks for the end stays blocked, and so pending: the kernel would
    /// drop it before the daemon, as PID 1, has a handler. Go programs unblock the signals that they handle.
    pub(crate) fn hand_over(&self) {
        let pending = sys::pending_signals().and(self.ends);
        sys::set_signal_mask(self.before.or(pending));
    }
}

/// An end that was asked for, and by which signal.
#[derive(Clone, Copy)]
pub(crate) struct EndRequest {
    pub(crate) end: End,
    pub(crate) signal: u32,
}

impl EndRequest {
    /// As a shell tells it: 128 and the signal.
    pub(crate) fn status(&self) -> u8 {
        128 + self.signal as u8
    }

    /// By whom, and what.
    pub(crate) fn log(&self, log: Log) {
        log.line(&[name(self.signal).as_bytes(), self.end.words()]);
    }

    pub(crate) fn command(&self) -> (Option<RebootCommand>, &'static str) {
        self.end.command()
    }
}

/// Some signal waits that asks for the end, in a container or on the machine.
pub(crate) fn are_pending() -> bool {
    sys::pending_signals()
        .and(signals::ends(Role::Machine))
        .is_any()
}

/// The first request that is pending.
pub(crate) fn end_request(role: Role) -> Option<EndRequest> {
    let signals = Signals::open().ok()?;
    core::iter::from_fn(|| signals.next()).find_map(|signal| match meaning(signal, role) {
        Meaning::End(end) => Some(EndRequest { end, signal }),
        _ => None,
    })
}

/// Until this child of PID 1 has ended, or an end is asked for: then all processes are ended. Orphans are reaped meanwhile.
pub(crate) fn until_ended(child: Pid) -> Result<Option<EndRequest>> {
    let signals = Signals::open()?;
    let requests = Requests::open(Role::Machine, true, Mask::ALL);
    let (mut end, mut killed, mut deadline) = (None, false, NEVER);
    loop {
        // The signals are read before children are reaped: so no death is missed.
        let descriptor = signals.as_fd();
        let _ = requests.wait(descriptor, deadline);
        if let Some(request) = end_request(Role::Machine)
            && end.is_none()
        {
            // An interactive shell ignores TERM.
            for signal in [TERM, signals::HUP] {
                let _ = sys::kill(-1, signal);
            }
            deadline = sys::since_boot() + REST;
            end = Some(request);
        }
        if sys::since_boot() >= deadline {
            if killed {
                return Ok(end);
            }
            killed = true;
            deadline = sys::since_boot() + REST;
            let _ = sys::kill(-1, KILL);
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) if pid == child && end.is_none() => return Ok(None),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return Ok(end),
            }
        }
    }
}
