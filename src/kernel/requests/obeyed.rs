//! Requests with the feature `supervise`: they are obeyed.

use crate::{
    kernel::{
        power::Button,
        signals::{self, CHLD, End, INT, KILL, Meaning, PWR, Signals, TERM, meaning, name},
        wait::{NEVER, readable},
    },
    log::Log,
    settings::{Role, Settings},
    sys::{self, Action, Mask},
};
use core::cell::OnceCell;
use rustix::{
    event::{PollFd, PollFlags},
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, Result, fcntl_dupfd_cloexec},
    process::{Pid, WaitOptions, getpid, wait},
    system::RebootCommand,
};

/// How long processes may take to end after SIGTERM, and again after SIGKILL, in milliseconds.
const GRACE: u64 = 5000;

/// The signal mask from before the launch.
pub(crate) type SavedMask = Mask;

/// Blocks all signals. The daemon starts with the mask from before.
#[doc(hidden)]
pub fn block_signals(settings: &mut Settings<'_>) {
    settings.mask = Some(sys::set_signal_mask(Mask::ALL));
}

/// Runs `work` with all signals blocked, and passes it the mask from before the program, or the library, blocked them.
pub(crate) fn blocked<T>(settings: &Settings<'_>, work: impl FnOnce(SavedMask) -> T) -> T {
    let block = || sys::set_signal_mask(Mask::ALL);
    let mask = settings.mask.unwrap_or_else(block);
    // If the parent process had set SIGCHLD to be ignored, the kernel would reap children without reporting their status.
    let action = sys::set_action(CHLD, Action::DEFAULT);
    let result = work(mask);
    sys::set_action(CHLD, action);
    if settings.mask.is_none() {
        sys::set_signal_mask(mask);
    }
    result
}

/// Restores the mask, in a child of a failed launch before it executes a program.
pub(crate) fn restore(settings: &Settings<'_>) {
    if let Some(mask) = settings.mask {
        sys::set_signal_mask(mask);
    }
}

/// The requests during one launch.
pub(crate) struct Requests {
    before: SavedMask,
    /// The signals that ask for a shutdown of the supervisor, or of the daemon that replaces this process.
    ends: Mask,
    /// Opened by the first wait. `None` if that failed: then waits last until their deadline.
    signals: OnceCell<Option<OwnedFd>>,
    pub(crate) button: Option<Button>,
}

impl Requests {
    pub(crate) fn open(role: Role, supervises: bool, before: SavedMask) -> Self {
        let ends = if supervises {
            signals::ends(role)
        } else {
            Mask::NONE.with(INT).with(TERM)
        };
        let button = role == Role::Machine && supervises;
        Self {
            before,
            ends,
            signals: OnceCell::new(),
            button: button.then(Button::open).and_then(Result::ok),
        }
    }

    /// Waits until `from` can be read; `TIMEDOUT` at the deadline, `CANCELED` when a shutdown is requested.
    pub(crate) fn wait(&self, from: BorrowedFd<'_>, deadline: u64) -> Result<()> {
        // Above the descriptors that the daemon inherits.
        let open =
            || sys::signal_descriptor(self.ends).and_then(|low| fcntl_dupfd_cloexec(low, 64));
        let own = self.signals.get_or_init(|| open().ok()).as_ref();
        let signals = own.map_or(from, AsFd::as_fd);
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
            if own.is_some() && !signals.revents().is_empty() {
                return Err(Errno::CANCELED);
            }
            if !from.revents().is_empty() {
                return Ok(());
            }
        }
    }

    /// Restores the mask, in a child before it executes a program.
    pub(crate) fn restore(&self) {
        sys::set_signal_mask(self.before);
    }

    /// Restores the mask before this process becomes the daemon. A pending request for a shutdown stays blocked: otherwise the
    /// kernel would drop it, because the daemon, as PID 1, has no handler yet. Go programs unblock the signals that they handle.
    pub(crate) fn hand_over(&self) {
        let pending = sys::pending_signals().and(self.ends);
        sys::set_signal_mask(self.before.or(pending));
    }
}

/// A request for a shutdown, and its signal.
#[derive(Clone, Copy)]
pub(crate) struct EndRequest {
    pub(crate) end: End,
    pub(crate) signal: u32,
}

impl EndRequest {
    /// The exit status that shells use: 128 plus the signal.
    pub(crate) fn status(&self) -> u8 {
        128 + self.signal as u8
    }

    /// Logs the signal and what it asks for.
    pub(crate) fn log(&self, log: Log) {
        log.line("{}{}", &[name(self.signal).as_bytes(), self.end.message()]);
    }

    pub(crate) fn command(&self) -> (Option<RebootCommand>, &'static str) {
        self.end.command()
    }
}

/// Whether a pending signal asks for a shutdown. The signals that do so in a container do so on the machine, too.
pub(crate) fn are_pending() -> bool {
    sys::pending_signals()
        .and(signals::ends(Role::Machine))
        .is_any()
}

/// Takes the first pending request.
pub(crate) fn end_request(role: Role) -> Option<EndRequest> {
    let signals = Signals::open().ok()?;
    core::iter::from_fn(|| signals.next()).find_map(|signal| match meaning(signal, role) {
        Meaning::End(end) => Some(EndRequest { end, signal }),
        _ => None,
    })
}

/// Waits until this child of PID 1 has ended. If a shutdown is requested first, ends all processes. Reaps orphans meanwhile.
pub(crate) fn until_ended(child: Pid) -> Result<Option<EndRequest>> {
    let signals = Signals::open()?;
    let requests = Requests::open(Role::Machine, true, Mask::ALL);
    let (mut end, mut killed, mut deadline) = (None, false, NEVER);
    loop {
        // Signals are read before children are reaped, so no death is missed.
        let descriptor = signals.as_fd();
        let _ = requests.wait(descriptor, deadline);
        if let Some(request) = end_request(Role::Machine)
            && end.is_none()
        {
            // An interactive shell ignores TERM.
            for signal in [TERM, signals::HUP] {
                let _ = sys::kill(-1, signal);
            }
            deadline = sys::since_boot() + GRACE;
            end = Some(request);
        }
        if sys::since_boot() >= deadline {
            if killed {
                return Ok(end);
            }
            killed = true;
            deadline = sys::since_boot() + GRACE;
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
