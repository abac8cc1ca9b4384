//! The end: one TERM to the daemon, who ends its containers itself; TERM and KILL to what is left; then the machine.
//!
//! Every wait has a limit, and a second request shortens the longest.

use super::{Supervisor, children::signal_all};
use crate::{
    ending::reboot,
    kernel::signals::{End, KILL, TERM, send},
    steps::mounts::drain_console,
    sys,
    text::Decimal,
};

/// How long processes may take that the daemon has left, in seconds; and the daemon, after a second request.
const REST: u64 = 5;

impl Supervisor<'_> {
    /// The machine ends in it; otherwise this process has nothing left to do.
    #[inline(never)]
    pub(super) fn shut_down(&mut self, end: End) {
        self.end_daemon();
        self.end_rest();
        let log = &self.launch.log;
        if self.is_container() {
            return;
        }
        let (command, word) = end.command();
        reboot::clean_up(*log);
        match command {
            Some(command) => reboot::end(self.launch.settings, command, word),
            None => {
                log.line(&[word.as_bytes()]);
                drain_console(self.launch.settings);
            }
        }
    }

    /// TERM once: at the third dockerd would leave everything as it is.
    fn end_daemon(&mut self) {
        let log = &self.launch.log;
        let Some(daemon) = self.daemon else { return };
        let limit = u64::from(self.launch.settings.shutdown_timeout);
        let mut deadline = sys::since_boot() + limit * 1000;
        log.line(&[
            b"SIGTERM to ",
            self.name(),
            b", which has ",
            Decimal::new(limit).as_bytes(),
            b" s",
        ]);
        send(daemon, TERM);
        let mut killed = false;
        while self.daemon.is_some() {
            if sys::since_boot() >= deadline {
                if killed {
                    self.warn_of_daemon(b" does not die; it is left");
                    return;
                }
                killed = true;
                deadline = sys::since_boot() + REST * 1000;
                self.warn_of_daemon(b" has not ended in its time: SIGKILL");
                send(daemon, KILL);
            }
            self.wait(deadline);
            // What else has arrived wakes the next turn.
            if self.request().is_some() {
                let sooner = sys::since_boot() + REST * 1000;
                if !killed && sooner < deadline {
                    deadline = sooner;
                    log.line(&[b"asked again: ", self.name(), b" has 5 s left"]);
                }
            }
            self.hear();
            self.reap();
        }
    }

    /// Containers outlive a daemon with live-restore, and one that was killed.
    fn end_rest(&mut self) {
        for (signal, words) in [
            (TERM, "SIGTERM to all other processes, which have 5 s"),
            (KILL, "SIGKILL to those that are left"),
        ] {
            if !self.reap() {
                return;
            }
            self.launch.log.line(&[words.as_bytes()]);
            signal_all(signal);
            let deadline = sys::since_boot() + REST * 1000;
            while self.reap() && sys::since_boot() < deadline {
                self.wait(deadline);
                // Nothing can be asked for any more.
                let _ = self.request();
                self.hear();
                if signal == KILL {
                    // Not as PID 1: those that were its grandchildren have become its children.
                    signal_all(signal);
                }
            }
        }
    }
}
