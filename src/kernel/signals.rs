//! What a signal to PID 1 means: on the machine as busybox and systemd have it, in a container as container engines.
//!
//! All are blocked and read from a descriptor, so that none interrupts anything and none is lost. RTMIN is 34, as systemd
//! and Docker count, not the kernel's 32.

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
/// What a PWR of our own means, which a launch sends itself for a press of the button: no signal has this number.
pub(crate) const BUTTON: u32 = 65;

/// How a supervised launch ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    PowerOff,
    Reboot,
    Halt,
    /// This process ends, with the daemon's status.
    Exit,
}

impl End {
    /// Behind whose request it is.
    pub(crate) fn words(self) -> &'static [u8] {
        match self {
            PowerOff => b": power off",
            Reboot => b": reboot",
            Halt => b": halt",
            Exit => b": end",
        }
    }

    /// What the machine does in the end, and how that is called.
    pub(crate) fn command(self) -> (Option<RebootCommand>, &'static str) {
        match self {
            PowerOff => (Some(RebootCommand::PowerOff), "power off"),
            Reboot => (Some(RebootCommand::Restart), "reboot"),
            Halt => (Some(RebootCommand::Halt), "halt"),
            Exit => (None, "PID 1 ends as the daemon did"),
        }
    }
}

/// What is done with a signal.
#[derive(Clone, Copy)]
pub(crate) enum Meaning {
    End(End),
    /// The daemon gets it.
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

/// What the table says; else a container's daemon gets it.
pub(crate) fn meaning(signal: u32, role: Role) -> Meaning {
    let row = TABLE.iter().find(|row| row.signal == signal);
    match role {
        Role::Machine => row.map_or(Nothing, |row| row.machine),
        Role::Container => row.map_or(Forward, |row| row.container),
    }
}

/// Those that ask for the end.
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

/// The signals that wait.
pub(crate) struct Signals(OwnedFd);

impl Signals {
    pub(crate) fn open() -> Result<Self> {
        // Ignored by whoever started this process, the kernel would reap without a word.
        sys::set_action(CHLD, Action::DEFAULT);
        sys::signal_descriptor(Mask::ALL).map(Self)
    }

    /// The next one. Those that this process has caused itself (a log that nobody reads any more) are none, but for the PWR
    /// that stands for the button.
    pub(crate) fn next(&self) -> Option<u32> {
        let own_pid = getpid().as_raw_nonzero().get().cast_unsigned();
        loop {
            // signalfd_siginfo: the number first, the sender's pid as the fourth of 32-bit words.
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

/// A signal to one process, which may have ended.
pub(crate) fn send(to: Pid, signal: u32) {
    let _ = sys::kill(to.as_raw_nonzero().get(), signal);
}
