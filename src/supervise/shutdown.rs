//! The shutdown: one SIGTERM to the daemon, which stops its containers itself; then one to containerd; SIGTERM and SIGKILL to
//! what is left; then the end of the machine.
//!
//! Every wait has a limit, and a second request shortens the daemon's.

use super::{Supervisor, children::signal_all};
use crate::{
    ending::reboot,
    kernel::signals::{End, KILL, TERM, send},
    steps::mounts::drain_console,
    sys,
    text::Decimal,
};

/// How long the remaining processes may take, in seconds; and the daemon after a second request or SIGKILL.
const REST: u64 = 5;

impl Supervisor<'_> {
    /// On the machine this ends the machine; in a container the caller exits.
    #[inline(never)]
    pub(super) fn shut_down(&mut self, end: End) {
        self.is_ending = true;
        self.end_daemon();
        self.end_containerd();
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
                log.line("{}", &[word.as_bytes()]);
                drain_console(self.launch.settings);
            }
        }
    }

    /// Sends SIGTERM once: at the third one dockerd exits without a clean shutdown.
    fn end_daemon(&mut self) {
        let log = &self.launch.log;
        let Some(daemon) = self.daemon else { return };
        let limit = u64::from(self.launch.settings.shutdown_timeout);
        let mut deadline = sys::since_boot() + limit * 1000;
        log.line(
            "SIGTERM to {}, which has {} s",
            &[self.name(), Decimal::new(limit).as_bytes()],
        );
        send(daemon, TERM);
        let mut killed = false;
        while self.daemon.is_some() {
            if sys::since_boot() >= deadline {
                if killed {
                    self.warn_of_daemon(b" does not die; going on without it");
                    return;
                }
                killed = true;
                deadline = sys::since_boot() + REST * 1000;
                self.warn_of_daemon(b" has not ended in time: SIGKILL");
                send(daemon, KILL);
            }
            self.wait(deadline);
            // Further signals wake the next turn.
            if self.request().is_some() {
                let sooner = sys::since_boot() + REST * 1000;
                if !killed && sooner < deadline {
                    deadline = sooner;
                    log.line("second request: {} has 5 s left", &[self.name()]);
                }
            }
            self.receive();
            self.reap();
        }
    }

    /// Containers survive a daemon with live-restore, and a killed daemon.
    fn end_rest(&mut self) {
        for (signal, line) in [
            (TERM, "SIGTERM to all other processes, which have 5 s"),
            (KILL, "SIGKILL to those still running"),
        ] {
            if !self.reap() {
                return;
            }
            self.launch.log.line("{}", &[line.as_bytes()]);
            signal_all(signal);
            let deadline = sys::since_boot() + REST * 1000;
            while self.reap() && sys::since_boot() < deadline {
                self.wait(deadline);
                // Further requests change nothing.
                let _ = self.request();
                self.receive();
                if signal == KILL {
                    // Not as PID 1: grandchildren have become children of this process.
                    signal_all(signal);
                }
            }
        }
    }
}
