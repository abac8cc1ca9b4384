//! What a signal to PID 1 does: on the machine what it does with busybox and systemd, in a container what container engines
//! expect.
//!
//! All signals are blocked and read from a signalfd, so that none interrupts a system call and none is lost. RTMIN is 34, as
//! systemd and Docker count, not the kernel's 32.

use crate::{
    settings::Role,
    sys::{self, Action, Mask},
    text::{Decimal, Text, words},
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Result, read},
    process::{Pid, getpid},
    system::RebootCommand,
};

pub(crate) const HUP: u32 = 1;
pub(crate) const INT: u32 = 2;
pub(crate) const KILL: u32 = 9;
pub(crate) const TERM: u32 = 15;
pub(crate) const CHLD: u32 = 17;
pub(crate) const PWR: u32 = 30;
/// Stands for a press of the power button: a launch sends itself a PWR for it. No signal has this number.
pub(crate) const BUTTON: u32 = 65;

/// How a supervised launch ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    PowerOff,
    Reboot,
    Halt,
    /// This process exits with the daemon's status.
    Exit,
}

impl End {
    /// The end of the log line, after the signal's name.
    pub(crate) fn message(self) -> &'static [u8] {
        match self {
            PowerOff => b": power off",
            Reboot => b": reboot",
            Halt => b": halt",
            Exit => b": end",
        }
    }

    /// The reboot(2) command, and its name in messages.
    pub(crate) fn command(self) -> (Option<RebootCommand>, &'static str) {
        match self {
            PowerOff => (Some(RebootCommand::PowerOff), "power off"),
            Reboot => (Some(RebootCommand::Restart), "reboot"),
            Halt => (Some(RebootCommand::Halt), "halt"),
            Exit => (None, "PID 1 ends as the daemon did"),
        }
    }
}

/// What a signal does.
#[derive(Clone, Copy)]
pub(crate) enum Meaning {
    End(End),
    /// It is forwarded to the daemon.
    Forward,
    Nothing,
}

struct Row {
    signal: u32,
    machine: Meaning,
    container: Meaning,
}

use End::{Exit, Halt, PowerOff, Reboot};
use Meaning::{End as Ends, Forward, Nothing};

const TABLE: &[Row] = &[
    Row {
        signal: HUP,
        machine: Forward,
        container: Forward,
    },
    Row {
        signal: INT, // ctrl-alt-del
        machine: Ends(Reboot),
        container: Ends(Exit),
    },
    Row {
        signal: 10,
        machine: Ends(Halt),
        container: Forward,
    }, // USR1
    Row {
        signal: 12,
        machine: Ends(PowerOff),
        container: Forward,
    }, // USR2
    Row {
        signal: TERM,
        machine: Ends(Reboot),
        container: Ends(Exit),
    },
    Row {
        signal: CHLD,
        machine: Nothing,
        container: Nothing,
    },
    Row {
        signal: PWR,
        machine: Ends(PowerOff),
        container: Ends(Exit),
    },
    Row {
        signal: 37,
        machine: Ends(Halt),
        container: Ends(Exit),
    }, // RTMIN+3
    Row {
        signal: 38,
        machine: Ends(PowerOff),
        container: Ends(Exit),
    }, // RTMIN+4
    Row {
        signal: 39,
        machine: Ends(Reboot),
        container: Forward,
    }, // RTMIN+5
    Row {
        signal: BUTTON,
        machine: Ends(PowerOff),
        container: Nothing,
    },
];

/// A signal's row of the table; one without a row is forwarded in a container and ignored on the machine.
pub(crate) fn meaning(signal: u32, role: Role) -> Meaning {
    let row = TABLE.iter().find(|row| row.signal == signal);
    match role {
        Role::Machine => row.map_or(Nothing, |row| row.machine),
        Role::Container => row.map_or(Forward, |row| row.container),
    }
}

/// The signals that ask for a shutdown.
pub(crate) fn ends(role: Role) -> Mask {
    (1..=64)
        .filter(|signal| matches!(meaning(*signal, role), Ends(_)))
        .fold(Mask::NONE, Mask::with)
}

/// The names of signals 1 to 31 (signal(7)).
const NAMES: &[u8] = b"HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU \
    URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// `SIGTERM`, or `signal 37`.
pub(crate) fn name(signal: u32) -> Text<32> {
    let name = signal
        .checked_sub(1)
        .and_then(|place| words(NAMES).nth(place as usize));
    match name {
        Some(name) => Text::fitting(&[b"SIG", name]),
        None if signal == BUTTON => Text::fitting(&[b"power button"]),
        None => Text::fitting(&[b"signal ", Decimal::new(signal.into()).as_bytes()]),
    }
}

/// A signalfd for all signals.
pub(crate) struct Signals(OwnedFd);

impl Signals {
    pub(crate) fn open() -> Result<Self> {
        // If the parent process had set SIGCHLD to be ignored, the kernel would reap children without reporting their status.
        sys::set_action(CHLD, Action::DEFAULT);
        sys::signal_descriptor(Mask::ALL).map(Self)
    }

    /// The next pending signal. Signals that this process caused itself (SIGPIPE from the log) are skipped, except the PWR that
    /// stands for the power button.
    pub(crate) fn next(&self) -> Option<u32> {
        let own_pid = getpid().as_raw_nonzero().get().cast_unsigned();
        loop {
            // signalfd_siginfo, in 32-bit words: the first is the signal, the fourth the sender's pid.
            let mut information = [0; 128];
            read(&self.0, &mut information).ok()?;
            let word = |at: usize| {
                let bytes = information.get(at..)?.first_chunk()?;
                Some(u32::from_ne_bytes(*bytes))
            };
            match word(0) {
                number if word(12) != Some(own_pid) => return number,
                Some(PWR) => return Some(BUTTON),
                _ => {}
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends a signal to a process, which may have ended already.
pub(crate) fn send(to: Pid, signal: u32) {
    let _ = sys::kill(to.as_raw_nonzero().get(), signal);
}
