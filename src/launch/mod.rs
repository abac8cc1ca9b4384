//! What all steps of one launch share: the role, the settings, the log, and the error that ends it.
//!
//! A required step that fails stores its error here and returns only the token [`Failed`]: an error contains its subject, and
//! passing it through every `?` would make the program a quarter larger.

pub(crate) mod role;

use crate::{
    error::{Error, Step},
    fs::Lookup,
    kernel::requests::{Requests, SavedMask},
    log::Log,
    settings::{Role, Settings},
};
use core::{cell::Cell, ffi::CStr};
use rustix::{
    io::{self, Errno},
    system::{RebootCommand, reboot},
};

/// The launch cannot go on: [`Launch::error`] says why.
#[derive(Debug)]
pub(crate) struct Failed;

/// What a step returns.
pub(crate) type Outcome<T> = Result<T, Failed>;

/// How a supervised daemon in a container ended. A launch that becomes the daemon never returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, or 128 plus the signal that killed it.
    pub status: u8,
}

/// One launch.
pub(crate) struct Launch<'l> {
    pub(crate) role: Role,
    /// This is the PID 1 that the kernel started: its clock, ctrl-alt-del and reboot(2) are the machine's.
    pub(crate) owns_machine: bool,
    pub(crate) settings: &'l Settings<'l>,
    pub(crate) log: Log,
    /// Requests for a shutdown, which cut this launch's waits short.
    pub(crate) requests: Requests,
    /// The full file system that was last reported: its device, or why it is unknown.
    pub(crate) full: Cell<Option<io::Result<u64>>>,
    error: Cell<Error>,
}

impl<'l> Launch<'l> {
    /// With the role as [`role::find_role`] finds it.
    pub(crate) fn new(
        (role, owns_machine): (Role, bool),
        settings: &'l Settings<'l>,
        before: SavedMask,
    ) -> Self {
        let error = Cell::new(Error::with_reason(Step::Exec, b"", ""));
        let log = settings.as_log();
        if owns_machine {
            // ctrl-alt-del becomes a SIGINT to PID 1: the kernel's own reset leaves no time to write anything.
            reboot(RebootCommand::CadOff).or_warn(log, Step::Role, c"ctrl-alt-del");
        }
        Self {
            role,
            owns_machine,
            settings,
            log,
            requests: Requests::open(role, settings.supervises(role), before),
            full: Cell::new(None),
            error,
        }
    }

    /// Stores the error of a system call.
    #[cold]
    #[inline(never)]
    pub(crate) fn refused(&self, step: Step, subject: &[u8], errno: Errno) -> Failed {
        self.error.set(Error::new(step, subject, errno));
        Failed
    }

    /// The same, with a path as the subject.
    #[cold]
    #[inline(never)]
    fn refused_at(&self, step: Step, subject: &CStr, errno: Errno) -> Failed {
        self.refused(step, subject.to_bytes(), errno)
    }

    /// Stores an error that is not the kernel's; the reason says what to do.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&self, step: Step, subject: &[u8], reason: &'static str) -> Failed {
        self.error.set(Error::with_reason(step, subject, reason));
        Failed
    }

    /// Logs a failed system call as a warning: the launch goes on.
    #[cold]
    #[inline(never)]
    pub(crate) fn warn_of(&self, step: Step, subject: &[u8], errno: Errno) {
        self.warn(&Error::new(step, subject, errno));
    }

    /// Logs an error as a warning: the launch goes on.
    #[cold]
    #[inline(never)]
    pub(crate) fn warn(&self, error: &Error) {
        error.format(&mut |parts| self.log.warning("", parts));
    }

    /// The error that the failed step has stored.
    pub(crate) fn error(&self) -> Error {
        self.error.get()
    }
}

/// Adds the step and the subject to a system call's error.
pub(crate) trait Context<T> {
    fn at(self, launch: &Launch<'_>, step: Step, subject: &CStr) -> Outcome<T>;
}

impl<T> Context<T> for io::Result<T> {
    #[inline]
    fn at(self, launch: &Launch<'_>, step: Step, subject: &CStr) -> Outcome<T> {
        self.map_err(|errno| launch.refused_at(step, subject, errno))
    }
}
