//! Children: reaping all that have ended, whoever's they were, and signalling all that are left.

use super::signals::{self, name};
use crate::{
    fs::{self, Root},
    sys,
    text::{Decimal, Text, fields, number},
};
use rustix::{
    fd::AsFd,
    io::Errno,
    process::{Pid, WaitOptions, WaitStatus, getpid, wait},
};

/// How a process ended.
#[derive(Clone, Copy)]
pub(crate) struct Status(WaitStatus);

impl Status {
    /// As a shell tells it: its exit status, or 128 and the signal that killed it.
    pub(crate) fn code(self) -> u8 {
        let signal = self.0.terminating_signal().map(|signal| 128 + signal);
        let code = self.0.exit_status().or(signal).unwrap_or(255);
        u8::try_from(code).unwrap_or(255)
    }

    /// `ended with status 1`, or `was killed by SIGSEGV, core dumped`.
    pub(crate) fn words(self) -> Text<64> {
        const CORE_DUMPED: i32 = 0x80;
        let code = Decimal::new(self.code().into());
        let words = match self.0.terminating_signal() {
            None => Text::of(&[b"ended with status ", code.as_bytes()]),
            Some(signal) => {
                let dumped = self.0.as_raw() & CORE_DUMPED != 0;
                let core = if dumped { &b", core dumped"[..] } else { b"" };
                Text::of(&[
                    b"was killed by ",
                    name(signal.unsigned_abs()).as_bytes(),
                    core,
                ])
            }
        };
        words.unwrap_or(Text::new())
    }
}

/// Reaps all that have ended. Whether any child is left that has not.
pub(crate) fn reap(each: &mut dyn FnMut(Pid, Status)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => each(pid, Status(status)),
            Ok(None) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// To all that are left: as PID 1 to every process, otherwise only to this process's own children; what those leave behind
/// becomes its own when they have ended.
pub(crate) fn signal_all(signal: u32) {
    if getpid().is_init() {
        let _ = sys::kill(-1, signal);
        return;
    }
    let Ok(proc) = Root::open(c"/").and_then(|root| root.directory(c"/proc")) else {
        return;
    };
    let own_pid = getpid().as_raw_nonzero().get().unsigned_abs();
    let _ = fs::entries(proc.as_fd(), &mut |entry| {
        let pid = number(entry.to_bytes()).and_then(|pid| Pid::from_raw(pid as i32));
        if let Some(pid) = pid
            && parent(entry.to_bytes()) == Some(own_pid.into())
        {
            signals::send(pid, signal);
        }
        Ok(())
    });
}

/// The fourth field of /proc/PID/stat; the second, the name, may hold anything but ends at the last parenthesis.
fn parent(pid: &[u8]) -> Option<u64> {
    let mut buffer = [0; 1024];
    let path = fs::path(&[b"/proc/", pid, b"/stat"]).ok()?;
    let stat = fs::read_small(path.as_c_str(), &mut buffer).ok()?;
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    number(fields(stat.get(name_ends..)?, b' ').nth(2)?)
}
