//! Children: reaps all that have ended, orphans included, and signals all that are left.

use crate::{
    fs::{self, Root},
    kernel::signals::{self, name},
    sys,
    text::{Decimal, Text, fields, number},
};
use rustix::{
    fd::AsFd,
    io::Errno,
    process::{Pid, WaitOptions, getpid, wait},
};

/// How a process ended: the kernel's wait status.
#[derive(Clone, Copy)]
pub(crate) struct Status(u32);

impl Status {
    fn signal(self) -> u32 {
        self.0 & 0x7f
    }

    /// As in a shell: the exit status, or 128 plus the signal that killed it.
    pub(crate) fn code(self) -> u8 {
        match self.signal() {
            0 => (self.0 >> 8) as u8,
            signal => 128 + signal as u8,
        }
    }

    /// `ended with status 1`, or `was killed by SIGSEGV, core dumped`.
    pub(crate) fn describe(self) -> Text<64> {
        const CORE_DUMPED: u32 = 0x80;
        let code = Decimal::new(self.code().into());
        match self.signal() {
            0 => Text::fitting(&[b"ended with status ", code.as_bytes()]),
            signal => {
                let core = match self.0 & CORE_DUMPED {
                    0 => &b""[..],
                    _ => b", core dumped",
                };
                Text::fitting(&[b"was killed by ", name(signal).as_bytes(), core])
            }
        }
    }
}

/// Reaps all children that have ended. Returns whether any are left.
pub(crate) fn reap(each: &mut dyn FnMut(Pid, Status)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => each(pid, Status(status.as_raw().cast_unsigned())),
            Ok(None) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Signals all processes as PID 1, otherwise only the children of this process. Their own children become children of this
/// process when they have ended.
pub(crate) fn signal_all(signal: u32) {
    if getpid().is_init() {
        let _ = sys::kill(-1, signal);
        return;
    }
    let Ok(proc) = Root::open(c"/").and_then(|root| root.directory(c"/proc")) else {
        return;
    };
    let own_pid = getpid().as_raw_nonzero().get().unsigned_abs();
    let _ = fs::entries(proc.as_fd(), &mut |entry, _| {
        let pid = number(entry.to_bytes()).and_then(|pid| Pid::from_raw(pid as i32));
        if let Some(pid) = pid
            && parent(entry.to_bytes()) == Some(own_pid.into())
        {
            signals::send(pid, signal);
        }
        Ok(())
    });
}

/// The fourth field of /proc/PID/stat. The second, the name, may contain anything, but ends at the last parenthesis.
fn parent(pid: &[u8]) -> Option<u64> {
    let mut buffer = [0; 1024];
    let path = Text::<40>::of(&[b"/proc/", pid, b"/stat"]).ok()?;
    let stat = fs::read_small(path.as_c_str(), &mut buffer).ok()?;
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    number(fields(stat.get(name_ends..)?, b' ').nth(2)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn describes_a_wait_status() {
        for (raw, words, code) in [
            (0, "ended with status 0", 0),
            (0x0300, "ended with status 3", 3),
            (9, "was killed by SIGKILL", 137),
            (11 | 0x80, "was killed by SIGSEGV, core dumped", 139),
            (37, "was killed by signal 37", 165),
            (31, "was killed by SIGSYS", 159),
        ] {
            let status = Status(raw);
            assert_eq!(
                (status.describe().as_bytes(), status.code()),
                (words.as_bytes(), code)
            );
        }
    }

    #[test]
    fn finds_the_parent_behind_any_name() {
        let own_pid = std::process::id().to_string();
        let expected = std::os::unix::process::parent_id();
        assert_eq!(parent(own_pid.as_bytes()), Some(expected.into()));
        assert_eq!(parent(b"no-such"), None);
    }
}
