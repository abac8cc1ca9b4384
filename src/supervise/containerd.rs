//! The containerd beside the daemon: the daemon starts when it is ready; it is restarted when it has ended, and ended after the
//! daemon.
//!
//! If it is never ready, dockerd starts its own. Once it was, it stays ours: a daemon that runs uses its socket.

use super::{
    Supervisor,
    children::Status,
    restart::{Backoff, UNIT},
};
use crate::{
    error::reason,
    kernel::{
        children,
        notify::Notification,
        requests::EndRequest,
        signals::{KILL, TERM, send},
        wait::NEVER,
    },
    steps::containerd::{Containerd, REST},
    sys,
    text::Decimal,
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    process::Pid,
};

/// How long the daemon waits for it, in seconds: at first, before dockerd starts its own; later, before it is started all the
/// same.
const PATIENCE: u64 = 60;

/// The containerd that this process starts.
pub(super) struct Beside<'l> {
    containerd: &'l Containerd,
    started: u64,
    /// When to start it again, while it does not run.
    pub(super) next: u64,
    /// Before this time no daemon is started; 0 while containerd is ready.
    pub(super) hold: u64,
    was_ready: bool,
    backoff: Backoff,
}

impl<'l> Beside<'l> {
    pub(super) fn new(containerd: &'l Containerd) -> Self {
        let started = sys::since_boot();
        Self {
            containerd,
            started,
            next: NEVER,
            hold: started + PATIENCE * UNIT,
            was_ready: false,
            backoff: Backoff { failures: 0 },
        }
    }

    pub(super) fn flag(&self) -> &'l CStr {
        self.containerd.flag.as_c_str()
    }

    pub(super) fn notify(&self) -> BorrowedFd<'_> {
        self.containerd.notify.as_fd()
    }
}

impl Supervisor<'_> {
    /// Waits until containerd is ready, has ended, or takes too long. Returns a request for a shutdown that arrives meanwhile.
    #[inline(never)]
    pub(super) fn await_containerd(&mut self) -> Option<EndRequest> {
        loop {
            // Before the first wait, too: the launch may have read the signal of its death.
            self.receive();
            self.reap();
            let Some(beside) = &self.containerd else {
                return None;
            };
            if beside.was_ready {
                return None;
            }
            if sys::since_boot() >= beside.hold {
                let limit = Decimal::new(PATIENCE);
                self.launch.log.warning(
                    "containerd is not ready after {} s; dockerd starts its own",
                    &[limit.as_bytes()],
                );
                if let Some(pid) = beside.containerd.pid.take() {
                    children::end(pid, REST);
                }
                self.containerd = None;
                return None;
            }
            self.wait(beside.hold);
            let request = self.request();
            if request.is_some() {
                return request;
            }
        }
    }

    /// Handles its notifications.
    #[inline(never)]
    pub(super) fn receive_of_containerd(&mut self) {
        let Some(beside) = &mut self.containerd else {
            return;
        };
        let mut ready = false;
        let containerd = beside.containerd;
        let pid = containerd.pid.get();
        containerd.notify.receive(pid, &mut |notification| {
            ready |= notification == Notification::Ready;
        });
        if ready {
            (beside.hold, beside.was_ready) = (0, true);
            self.launch.log.debug("containerd is ready", &[]);
        }
    }

    /// Called when a child has ended.
    #[inline(never)]
    pub(super) fn containerd_has_ended(&mut self, status: Status) {
        let Some(beside) = &mut self.containerd else {
            return;
        };
        let log = &self.launch.log;
        let how = status.describe();
        beside.containerd.pid.set(None);
        if self.is_ending {
            log.line("containerd {}", &[how.as_bytes()]);
        } else if beside.was_ready {
            let wait = Decimal::new(beside.schedule() / 1000);
            log.line("containerd {}", &[how.as_bytes()]);
            log.line("containerd is started again in {} s", &[wait.as_bytes()]);
        } else {
            log.warning(
                "containerd {} before it was ready; dockerd starts its own",
                &[how.as_bytes()],
            );
            self.containerd = None;
        }
    }

    #[inline(never)]
    pub(super) fn restart_containerd(&mut self) {
        let Some(beside) = &mut self.containerd else {
            return;
        };
        beside.next = NEVER;
        beside.started = sys::since_boot();
        let executed = beside.containerd.execute(self.launch, self.command);
        if let Err(errno) = executed {
            let why = reason(errno).as_bytes();
            self.launch
                .log
                .warning("containerd cannot be started: {}", &[why]);
            let _ = beside.schedule();
        }
    }

    /// Ends it when the daemon has ended.
    #[inline(never)]
    pub(super) fn end_containerd(&mut self) {
        let is_running = |supervisor: &Self| {
            let beside = supervisor.containerd.as_ref();
            beside.and_then(|beside| beside.containerd.pid.get())
        };
        let log = &self.launch.log;
        for (signal, line) in [
            (TERM, "SIGTERM to containerd, which has 5 s"),
            (KILL, "containerd has not ended in time: SIGKILL"),
        ] {
            let Some(pid) = is_running(self) else { return };
            log.line("{}", &[line.as_bytes()]);
            send(pid, signal);
            let deadline = sys::since_boot() + REST;
            while is_running(self).is_some() && sys::since_boot() < deadline {
                self.wait(deadline);
                // Further requests change nothing.
                let _ = self.request();
                self.receive();
                self.reap();
            }
        }
    }
}

impl Beside<'_> {
    /// Whether this child is it.
    pub(super) fn is(&self, pid: Pid) -> bool {
        self.containerd.pid.get() == Some(pid)
    }

    /// Returns the wait before its next start, in milliseconds.
    fn schedule(&mut self) -> u64 {
        let now = sys::since_boot();
        let wait = self.backoff.after(now - self.started);
        self.next = now + wait;
        if self.hold == 0 {
            self.hold = now + PATIENCE * UNIT;
        }
        wait
    }
}
