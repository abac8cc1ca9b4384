//! What went wrong, in one line: the step, the thing, the kernel's reason, and what to do about it.
//!
//! An [`Error`] is `Copy` and holds its words itself, so that it can be made where nothing can be allocated and
//! told where `core::fmt` is not linked. Its `Display` says the same for the users of the library.

mod errnos;

pub(crate) use errnos::reason;

use crate::{
    sys::namespaces,
    text::{Decimal, Text},
};
use core::fmt;
use linux_raw_sys::errno::*;
use rustix::io::Errno;

/// The part of a launch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The words given to the program.
    Usage,
    /// A `DOCKER_LAUNCH_` setting.
    Setting,
    /// Neither the machine's PID 1 nor a container.
    Role,
    /// Looking up the daemon.
    Find,
    /// Mounting /proc, /sys, /dev and what is below them.
    Mount,
    /// Making `/` a root that `pivot_root(2)` accepts, and sharing it.
    Root,
    /// Mounting and delegating cgroups.
    Cgroup,
    /// Directories, links and small files.
    Layout,
    /// The machine's clock.
    Clock,
    /// Loading kernel modules.
    Modules,
    /// Finding, making and mounting the state disk.
    State,
    /// Addresses, routes, names.
    Network,
    /// What the daemon needs and the image lacks.
    Prerequisites,
    /// Limits, sockets and pid files of the daemon.
    Daemon,
    /// Executing the daemon.
    Exec,
    /// Swap off, unmounting, and what else ends the machine.
    Unmount,
}

impl Step {
    /// As messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Setting => "setting",
            Self::Role => "role",
            Self::Find => "daemon",
            Self::Mount => "mount",
            Self::Root => "root",
            Self::Cgroup => "cgroup",
            Self::Layout => "layout",
            Self::Clock => "time",
            Self::Modules => "modules",
            Self::State => "state disk",
            Self::Network => "network",
            Self::Prerequisites => "prerequisites",
            Self::Daemon => "prepare daemon",
            Self::Exec => "exec",
            Self::Unmount => "the end",
        }
    }
}

/// A launch that failed: which [`Step`], on what, why.
#[derive(Clone, Copy)]
pub struct Error {
    step: Step,
    subject: Text<256>,
    errno: u32,
    /// Our own; of what the kernel has refused, what to do about it where the table of advice does not know.
    reason: &'static str,
}

/// What a launch returns.
pub type Result<T> = core::result::Result<T, Error>;

const PRIVILEGED: &str = "run with --privileged";
/// In a user namespace even root of a privileged container may not do everything.
const NOT_REMAPPED: &str = "root is not the machine's here: run with --privileged --userns=host, by an engine that is not rootless";

/// What to do about an error of the kernel: the step (all steps where none is given), the errno, the advice.
const ADVICE: &[(Option<Step>, u32, &str)] = &[
    (
        Some(Step::Mount),
        ENODEV,
        "the kernel has no such file system; use a kernel that has it built in",
    ),
    (
        Some(Step::Cgroup),
        ENODEV,
        "the kernel has no cgroups of this version; choose another DOCKER_LAUNCH_CGROUP",
    ),
    (
        Some(Step::Exec),
        ENOENT,
        "the file is there: its interpreter or loader is missing from the image",
    ),
    (
        Some(Step::Exec),
        EACCES,
        "make the file, and the interpreter that it names, executable",
    ),
    (
        Some(Step::Exec),
        ENOEXEC,
        "it is not a program for this machine",
    ),
    (
        Some(Step::Find),
        ENOENT,
        "install it, or name another daemon as the first word",
    ),
    (Some(Step::Find), EACCES, "make it an executable file"),
    (
        Some(Step::State),
        ENODEV,
        "the kernel has no such file system; name its module in DOCKER_LAUNCH_MODULES",
    ),
    (Some(Step::State), EACCES, "the disk is write-protected"),
    (
        Some(Step::Root),
        ENODEV,
        "the kernel has no such file system; name its module in DOCKER_LAUNCH_MODULES",
    ),
    (
        Some(Step::Root),
        ENOSPC,
        "what the image has in /etc, /root and /var must fit into half of the memory",
    ),
    (None, EPERM, PRIVILEGED),
    (None, EACCES, PRIVILEGED),
    (
        None,
        EROFS,
        "mount the root read-write (rw), or let the image hold it",
    ),
    (None, ENOSPC, "free space there"),
    // What every kernel from 5.10 on has.
    (
        None,
        ENOSYS,
        "use Linux 5.10 or newer; in a container, a seccomp profile may forbid it: run with --privileged",
    ),
];

impl Error {
    /// The kernel refused: the errno is its reason.
    pub(crate) fn new(step: Step, subject: &[u8], errno: Errno) -> Self {
        Self {
            step,
            subject: shortened(subject),
            errno: errno.raw_os_error().unsigned_abs(),
            reason: match errno {
                Errno::PERM | Errno::ACCESS if namespaces::USER.is_first() == Some(false) => {
                    NOT_REMAPPED
                }
                _ => "",
            },
        }
    }

    /// Our own refusal, in words that say what to do.
    pub(crate) fn with_reason(step: Step, subject: &[u8], reason: &'static str) -> Self {
        Self {
            step,
            subject: shortened(subject),
            errno: 0,
            reason,
        }
    }

    /// Which part of the launch failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The path, setting, word or device it failed on: up to 255 bytes, of a longer one the last 252 behind `…`.
    pub fn subject(&self) -> &[u8] {
        self.subject.as_bytes()
    }

    /// The kernel's errno, if a system call failed (errno(3)).
    pub fn raw_os_error(&self) -> Option<i32> {
        (self.errno != 0).then_some(self.errno.cast_signed())
    }

    /// The same; `NOENT` where it is our own refusal.
    #[cfg(any(feature = "modprobe", feature = "state"))]
    pub(crate) fn errno(&self) -> Errno {
        self.raw_os_error()
            .map_or(Errno::NOENT, Errno::from_raw_os_error)
    }

    /// What the program exits with: 127 daemon not found, 126 not executable, 125 a required step failed, 2 usage or
    /// settings, 1 neither the machine's PID 1 nor a container.
    pub fn exit_status(&self) -> u8 {
        match (self.step, self.errno) {
            (Step::Usage | Step::Setting, _) => 2,
            (Step::Role, _) => 1,
            (Step::Find, ENOENT) => 127,
            (Step::Find | Step::Exec, _) => 126,
            _ => 125,
        }
    }

    /// The message in parts, for one write.
    pub(crate) fn format(&self, line: &mut dyn FnMut(&[&[u8]])) {
        let number = Decimal::new(self.errno.into());
        let known = errnos::name(self.errno);
        let (word, reason) = match known {
            Some(name) => ("", name.as_bytes()),
            None if self.errno != 0 => ("errno ", number.as_bytes()),
            None => ("", self.reason.as_bytes()),
        };
        let advice = ADVICE.iter().find(|(step, errno, _)| {
            *errno == self.errno && step.is_none_or(|step| step == self.step)
        });
        let (dash, advice) = match advice {
            Some((None, EPERM | EACCES, _)) if !self.reason.is_empty() => ("; ", self.reason),
            Some((_, _, advice)) => ("; ", *advice),
            None => ("", ""),
        };
        let colon = if self.subject().is_empty() { "" } else { " " };
        line(&[
            self.step.name().as_bytes(),
            colon.as_bytes(),
            self.subject(),
            b": ",
            word.as_bytes(),
            reason,
            dash.as_bytes(),
            advice.as_bytes(),
        ]);
    }
}

/// The last 252 bytes behind an ellipsis, where the whole does not fit.
fn shortened(subject: &[u8]) -> Text<256> {
    let tail = subject
        .get(subject.len().saturating_sub(252)..)
        .unwrap_or_default();
    // What has a NUL byte cannot be a path or a word of this program.
    Text::of(&[subject])
        .or_else(|_| Text::of(&["…".as_bytes(), tail]))
        .unwrap_or(Text::new())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut outcome = Ok(());
        self.format(&mut |parts| {
            outcome = parts
                .iter()
                .flat_map(|part| part.utf8_chunks())
                .try_for_each(|chunk| {
                    f.write_str(chunk.valid())?;
                    f.write_str(if chunk.invalid().is_empty() {
                        ""
                    } else {
                        "\u{fffd}"
                    })
                });
        });
        outcome
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::ToString, vec::Vec};

    #[test]
    fn one_line_names_step_thing_reason_and_remedy() {
        let error = Error::new(Step::Mount, b"/run", Errno::PERM);
        assert_eq!(
            format!("{error}"),
            "mount /run: operation not permitted (EPERM); run with --privileged"
        );
        assert_eq!((error.raw_os_error(), error.exit_status()), (Some(1), 125));
        let error = Error::new(Step::Network, b"", Errno::from_raw_os_error(133));
        assert_eq!(format!("{error}"), "network: errno 133");
        let error = Error::with_reason(Step::Role, b"PID 7", "not PID 1");
        assert_eq!(
            (format!("{error}").as_str(), error.raw_os_error()),
            ("role PID 7: not PID 1", None)
        );
    }

    #[test]
    fn the_status_follows_the_shells() {
        for (step, errno, status) in [
            (Step::Find, Errno::NOENT, 127),
            (Step::Find, Errno::ACCESS, 126),
            (Step::Exec, Errno::NOENT, 126),
            (Step::Setting, Errno::INVAL, 2),
            (Step::Role, Errno::PERM, 1),
            (Step::Cgroup, Errno::NODEV, 125),
        ] {
            assert_eq!(Error::new(step, b"x", errno).exit_status(), status);
        }
    }

    proptest! {
        #[test]
        fn a_long_subject_keeps_its_end(subject in "[a-z]{0,600}") {
            let error = Error::with_reason(Step::Find, subject.as_bytes(), "x");
            if subject.len() <= 255 {
                prop_assert_eq!(error.subject(), subject.as_bytes());
            } else {
                let kept = error.subject().strip_prefix("…".as_bytes()).unwrap();
                prop_assert!(kept.len() == 252 && subject.as_bytes().ends_with(kept));
            }
        }

        #[test]
        fn any_bytes_can_be_told(subject: Vec<u8>, errno in 1..200_i32) {
            let error = Error::new(Step::Layout, &subject, Errno::from_raw_os_error(errno));
            prop_assert!(error.to_string().starts_with("layout"));
        }
    }
}
