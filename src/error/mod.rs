//! The error of a launch, in one line: the step, the thing, the kernel's reason, and what to do about it.
//!
//! An [`Error`] is `Copy` and owns its text, because nothing can be allocated. [`Error::format`] works without `core::fmt`, which
//! the program does not link; `Display` prints the same for users of the library.

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
    /// The program's arguments.
    Usage,
    /// A `DOCKER_LAUNCH_` setting.
    Setting,
    /// Neither the machine's PID 1 nor a container.
    Role,
    /// Looking up the daemon.
    Find,
    /// Mounting /proc, /sys, /dev and the file systems below them.
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
    /// Finding, formatting and mounting the state disk.
    State,
    /// Addresses, routes, the hostname, name servers.
    Network,
    /// Programs and files that the daemon needs and the image lacks.
    Prerequisites,
    /// Limits, sockets and pid files of the daemon.
    Daemon,
    /// Executing the daemon.
    Exec,
    /// Shutting the machine down: swap off, unmounting, reboot(2).
    Unmount,
}

impl Step {
    /// Its name in messages.
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
            Self::Unmount => "shutdown",
        }
    }
}

/// A launch that failed: which [`Step`], on what, why.
#[derive(Clone, Copy)]
pub struct Error {
    step: Step,
    subject: Text<256>,
    errno: u32,
    /// Without an errno: the reason. With one: advice in place of the table's general one, or empty.
    reason: &'static str,
}

/// What a launch returns.
pub type Result<T> = core::result::Result<T, Error>;

const PRIVILEGED: &str = "run with --privileged";
/// In a user namespace not even root in a privileged container is allowed everything.
const IN_USER_NAMESPACE: &str = "this is a user namespace: run with --privileged --userns=host, by an engine that is not rootless";

/// What to do about an errno: the step (`None`: all steps), the errno, the advice.
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
        "install it, or name another daemon as the first argument",
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
        "the image's /etc, /root and /var must fit into half of the memory",
    ),
    (None, EPERM, PRIVILEGED),
    (None, EACCES, PRIVILEGED),
    (
        None,
        EROFS,
        "mount the root read-write (rw), or add it to the image",
    ),
    (None, ENOSPC, "free space there"),
    // Every kernel from 5.10 on has the system calls used here.
    (
        None,
        ENOSYS,
        "use Linux 5.10 or newer; in a container, a seccomp profile may forbid it: run with --privileged",
    ),
];

impl Error {
    /// A system call failed: the errno is the reason.
    pub(crate) fn new(step: Step, subject: &[u8], errno: Errno) -> Self {
        Self {
            step,
            subject: shortened(subject),
            errno: errno.raw_os_error().unsigned_abs(),
            reason: match errno {
                Errno::PERM | Errno::ACCESS if namespaces::USER.is_first() == Some(false) => {
                    IN_USER_NAMESPACE
                }
                _ => "",
            },
        }
    }

    /// An error that is not the kernel's; the reason says what to do.
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

    /// The path, setting, argument or device it failed on: up to 255 bytes; of a longer one `…` and the last 252.
    pub fn subject(&self) -> &[u8] {
        self.subject.as_bytes()
    }

    /// The kernel's errno, if a system call failed (errno(3)).
    pub fn raw_os_error(&self) -> Option<i32> {
        (self.errno != 0).then_some(self.errno.cast_signed())
    }

    /// The same; `NOENT` if no system call failed.
    #[cfg(any(feature = "modprobe", feature = "state", feature = "supervise"))]
    pub(crate) fn errno(&self) -> Errno {
        self.raw_os_error()
            .map_or(Errno::NOENT, Errno::from_raw_os_error)
    }

    /// The program's exit status: 127 daemon not found, 126 not executable, 125 a required step failed, 2 usage or
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

    /// Passes the message to `line` in parts, for one write.
    pub(crate) fn format(&self, line: &mut dyn FnMut(&[&[u8]])) {
        let number = Decimal::new(self.errno.into());
        let known = errnos::name(self.errno);
        let (prefix, reason) = match known {
            Some(name) => ("", name.as_bytes()),
            None if self.errno != 0 => ("errno ", number.as_bytes()),
            None => ("", self.reason.as_bytes()),
        };
        let advice = ADVICE.iter().find(|(step, errno, _)| {
            *errno == self.errno && step.is_none_or(|step| step == self.step)
        });
        let (semicolon, advice) = match advice {
            Some((None, EPERM | EACCES, _)) if !self.reason.is_empty() => ("; ", self.reason),
            Some((_, _, advice)) => ("; ", *advice),
            None => ("", ""),
        };
        let space = if self.subject().is_empty() { "" } else { " " };
        line(&[
            self.step.name().as_bytes(),
            space.as_bytes(),
            self.subject(),
            b": ",
            prefix.as_bytes(),
            reason,
            semicolon.as_bytes(),
            advice.as_bytes(),
        ]);
    }
}

/// The whole subject if it fits, else an ellipsis and the last 252 bytes.
fn shortened(subject: &[u8]) -> Text<256> {
    let tail = subject
        .get(subject.len().saturating_sub(252)..)
        .unwrap_or_default();
    // A subject with a NUL byte is left empty: no path or argument has one.
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
    fn a_message_has_step_subject_reason_and_advice() {
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
    fn exit_status_is_the_one_shells_use() {
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
        fn any_subject_can_be_formatted(subject: Vec<u8>, errno in 1..200_i32) {
            let error = Error::new(Step::Layout, &subject, Errno::from_raw_os_error(errno));
            prop_assert!(error.to_string().starts_with("layout"));
        }
    }
}
