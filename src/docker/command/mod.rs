//! The daemon to start: which program, its arguments, and its environment.

mod passed;

use crate::{
    error::{Error, Result, Step},
    fs::{self, PATH},
    kernel::cmdline,
    launch::role,
    settings::{Role, Settings},
    sys::Strings,
    text::{Text, base_name, fields, split_once},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::io::{self, Errno};

/// The most arguments that the kernel passes to init (MAX_INIT_ARGS).
const KERNEL_ARGUMENTS: usize = 32;

/// The daemon if none is named; build.rs can set another.
const DEFAULT: &CStr = match CStr::from_bytes_with_nul(
    concat!(env!("DOCKERLAUNCH_DEFAULT_DAEMON"), "\0").as_bytes(),
) {
    Ok(name) => name,
    Err(_) => panic!("DOCKERLAUNCH_DEFAULT_DAEMON holds a NUL byte"),
};
const DOCKERD: &CStr = c"dockerd";
/// The search path if the environment has no PATH.
pub(crate) const DEFAULT_PATH: &CStr =
    c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A daemon, its arguments and its environment. Nothing is copied: the strings must outlive the command, which is small, so
/// that a supervisor can keep it.
#[derive(Clone)]
pub struct Command<'a> {
    daemon: &'a CStr,
    /// The directory of PATH with the daemon; empty if the daemon is a path, `None` if it was not found.
    directory: Option<&'a [u8]>,
    /// After the daemon's name.
    arguments: Strings<'a>,
    /// With the DOCKER_LAUNCH_ settings, which are skipped when it is read.
    environment: Strings<'a>,
    added: Option<&'static CStr>,
    left_out: Option<&'static [u8]>,
    /// A directory that the daemon gets at the front of PATH; empty if there is none.
    pub(crate) first_directory: &'static str,
}

impl<'a> Command<'a> {
    /// Takes the daemon as a path, or as a name to look up in PATH; the arguments after its name; and its environment as
    /// `NAME=value`, without the DOCKER_LAUNCH_ settings. The old `docker -d` and `docker daemon` become `dockerd` if that
    /// is installed.
    ///
    /// # Errors
    /// [`Step::Find`]: the program is missing, or cannot be executed.
    pub fn new(
        daemon: &'a CStr,
        arguments: impl Into<Strings<'a>>,
        environment: impl Into<Strings<'a>>,
    ) -> Result<Self> {
        Self::unfound(daemon, arguments.into(), environment.into()).found()
    }

    fn found(self) -> Result<Self> {
        if self.directory.is_none() {
            // Looks it up again, for the error.
            self.directory_of(self.daemon)?;
        }
        Ok(self)
    }

    /// The environment for programs of the image, before a daemon is looked up.
    pub(crate) fn without_daemon(daemon: &'a CStr, environment: Strings<'a>) -> Self {
        Self {
            daemon,
            directory: None,
            arguments: (&[]).into(),
            environment,
            added: None,
            left_out: None,
            first_directory: "",
        }
    }

    /// As [`Command::new`], but the daemon may be missing.
    fn unfound(daemon: &'a CStr, arguments: Strings<'a>, environment: Strings<'a>) -> Self {
        let mut command = Self {
            arguments,
            ..Self::without_daemon(daemon, environment)
        };
        let mut behind = arguments;
        let old = base_name(daemon.to_bytes()) == b"docker"
            && behind.next().is_some_and(|argument| {
                matches!(argument.to_bytes(), b"-d" | b"--daemon" | b"daemon")
            });
        match old.then(|| command.directory_of(DOCKERD)) {
            Some(Ok(directory)) => {
                (command.daemon, command.directory) = (DOCKERD, Some(directory));
                command.arguments = behind;
            }
            _ => command.directory = command.directory_of(daemon).ok(),
        }
        command
    }

    /// Reads the program's own arguments: `[DAEMON] [ARG...]`; dockerd if no daemon is named. For the machine's PID 1 only
    /// the words after `--` on the kernel command line count: other words are meant for the kernel or for another init. They
    /// are ignored, which is logged.
    ///
    /// # Errors
    /// As [`Command::new`].
    pub fn from_arguments(
        role: Role,
        arguments: impl Into<Strings<'a>>,
        environment: impl Into<Strings<'a>>,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        let owns_machine = role == Role::Machine && role::in_first_namespace();
        let (arguments, environment) = (arguments.into(), environment.into());
        Self::of_program(owns_machine, arguments, environment, settings)
    }

    /// The same, if it is known whether this is the PID 1 that the kernel started.
    pub(crate) fn of_program(
        owns_machine: bool,
        mut arguments: Strings<'a>,
        environment: Strings<'a>,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        let count = if owns_machine {
            cmdline::count_for_init(settings.as_log())
        } else {
            usize::MAX
        };
        let ignored = arguments.count().saturating_sub(count);
        if ignored > 0 {
            log_ignored(arguments.take(ignored), settings);
            arguments.nth(ignored - 1);
        }
        let (daemon, arguments) = first_daemon(arguments);
        Self::unfound(daemon, arguments, environment).found()
    }

    /// All arguments count, and the daemon may be missing.
    #[cfg(feature = "check")]
    pub(crate) fn to_check(arguments: Strings<'a>, environment: Strings<'a>) -> Self {
        let (daemon, arguments) = first_daemon(arguments);
        Self::unfound(daemon, arguments, environment)
    }

    /// The path that is executed; empty if the daemon was not found.
    pub(crate) fn path(&self) -> Text<PATH> {
        self.directory
            .map_or(Text::new(), |place| join(place, self.daemon))
    }

    /// The daemon's name in messages.
    pub(crate) fn name(&self) -> &'a [u8] {
        base_name(self.daemon.to_bytes())
    }

    /// Removes a flag and its value from the arguments.
    #[cfg(feature = "network")]
    pub(crate) fn leave_out(&mut self, flag: &'static [u8]) {
        self.left_out = Some(flag);
    }

    /// Adds a variable to the daemon's environment.
    pub(crate) fn add_variable(&mut self, variable: &'static CStr) {
        self.added = Some(variable);
    }

    /// The search path for programs.
    pub(crate) fn path_variable(&self) -> &'a [u8] {
        self.variable(b"PATH")
            .or(split_once(DEFAULT_PATH.to_bytes(), b'=').1)
            .unwrap_or_default()
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.environment().find_map(|variable| {
            let (found, value) = split_once(variable.to_bytes(), b'=');
            value.filter(|_| found == name)
        })
    }

    /// The path of a program, as a shell finds it.
    #[cfg(any(
        feature = "iptables",
        feature = "modprobe",
        feature = "network",
        feature = "state",
        feature = "supervise"
    ))]
    pub(crate) fn look_up(&self, program: &CStr) -> Result<Text<PATH>> {
        let directory = self.directory_of(program)?;
        Ok(join(directory, program))
    }

    /// The directory of a program, as a shell finds it: none for a name with a slash, else the first directory of PATH with
    /// an executable of that name.
    fn directory_of(&self, program: &CStr) -> Result<&'a [u8]> {
        self.search(program)
            .map_err(|errno| Error::new(Step::Find, program.to_bytes(), errno))
    }

    fn search(&self, program: &CStr) -> io::Result<&'a [u8]> {
        if program.to_bytes().contains(&b'/') {
            return fs::executable(program).map(|()| &b""[..]);
        }
        let directories = self.path_variable();
        let mut outcome = Errno::NOENT;
        for directory in fields(directories, b':')
            .filter(|directory| !directory.is_empty() && !program.is_empty())
        {
            let path = join(directory, program);
            match fs::executable(path.as_c_str()) {
                Ok(()) => return Ok(directory),
                Err(errno) => outcome = found_but(errno).unwrap_or(outcome),
            }
        }
        Err(outcome)
    }
}

fn join(directory: &[u8], program: &CStr) -> Text<PATH> {
    let slash = if directory.is_empty() { &b""[..] } else { b"/" };
    fs::path(&[directory, slash, program.to_bytes()])
}

#[inline(never)] // its stack is not the caller's
fn log_ignored<'a>(arguments: impl Iterator<Item = &'a CStr>, settings: &Settings<'_>) {
    let mut ignored: Vec<&[u8], { 2 * KERNEL_ARGUMENTS + 2 }> = Vec::new();
    let _ = ignored.push(b"ignored:");
    for argument in arguments.take(KERNEL_ARGUMENTS) {
        let _ = ignored.extend_from_slice(&[b" ", argument.to_bytes()]);
    }
    let _ = ignored.push(b" (on the kernel command line the daemon's arguments come after --)");
    settings.as_log().line("", &ignored);
}

/// The first argument, and the arguments after it; dockerd if the first one is a flag or missing.
fn first_daemon(arguments: Strings<'_>) -> (&CStr, Strings<'_>) {
    let mut behind = arguments;
    match behind
        .find(|argument| !cmdline::is_of_boot_loader(argument.to_bytes()))
        .filter(|argument| !argument.to_bytes().starts_with(b"-"))
    {
        Some(daemon) => (daemon, behind),
        None => (DEFAULT, arguments),
    }
}

/// The file exists, but cannot be executed.
fn found_but(errno: Errno) -> Option<Errno> {
    (!matches!(errno, Errno::NOENT | Errno::NOTDIR)).then_some(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_and_a_path_taken() {
        assert_eq!(
            Command::new(c"sh", &[], &[c"PATH=/nonsense:/bin"])
                .unwrap()
                .path()
                .as_c_str(),
            c"/bin/sh"
        );
        let command = Command::new(c"/bin/sh", &[], &[]).unwrap();
        assert_eq!(command.path().as_c_str(), c"/bin/sh");
        assert_eq!(
            Command::new(c"no-such-daemon", &[], &[])
                .err()
                .unwrap()
                .exit_status(),
            127
        );
        assert_eq!(
            Command::new(c"/etc/passwd", &[], &[])
                .err()
                .unwrap()
                .exit_status(),
            126
        );
        assert_eq!(
            Command::new(c"passwd", &[], &[c"PATH=/etc"])
                .err()
                .unwrap()
                .exit_status(),
            126
        );
        assert_eq!(
            Command::new(c"/etc", &[], &[]).err().unwrap().exit_status(),
            126
        );
        assert_eq!(
            Command::new(c"", &[], &[]).err().unwrap().exit_status(),
            127
        );
    }

    #[test]
    fn settings_are_not_passed_on() {
        let command = Command::new(
            c"/bin/sh",
            &[],
            &[c"A=1", c"DOCKER_LAUNCH_DEBUG=true", c"B=2"],
        )
        .unwrap();
        assert!(command.environment().eq([c"A=1", c"B=2"]));
    }

    #[test]
    fn c7_arguments_have_no_fixed_limit() {
        let many = &[c"x"; 100_000];
        let command = Command::new(c"/bin/sh", many, many).unwrap();
        assert_eq!(command.arguments().count(), 100_001);
        assert_eq!(command.environment().count(), 100_000);
    }

    #[cfg(feature = "network")]
    #[test]
    fn a_flag_is_left_out_with_its_value() {
        for bip in [
            &[c"--bip=10.1.0.1/16"][..],
            &[c"--bip", c"10.1.0.1/16"],
            &[],
        ] {
            let arguments = [&[c"-D", c"-b", c"br0"][..], bip, &[c"--bip6", c"x"]].concat();
            let mut command = Command::new(c"/bin/sh", &arguments[..], &[]).unwrap();
            command.leave_out(b"--bip");
            let left = [c"/bin/sh", c"-D", c"-b", c"br0", c"--bip6", c"x"];
            assert!(command.arguments().eq(left), "{bip:?}");
        }
    }
}
