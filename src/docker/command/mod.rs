//! The daemon to start: which program, its words, its environment, and what its own flags and daemon.json say about places
//! that a launch must know.

mod told;

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

/// The most words that the kernel hands to init (MAX_INIT_ARGS).
const KERNEL_WORDS: usize = 32;

/// The daemon without any words; build.rs can set another.
const DEFAULT: &CStr = match CStr::from_bytes_with_nul(
    concat!(env!("DOCKERLAUNCH_DEFAULT_DAEMON"), "\0").as_bytes(),
) {
    Ok(name) => name,
    Err(_) => panic!("DOCKERLAUNCH_DEFAULT_DAEMON holds a NUL byte"),
};
const DOCKERD: &CStr = c"dockerd";
/// Where programs are looked for if the environment has no PATH.
pub(crate) const DEFAULT_PATH: &CStr =
    c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A daemon, its words and its environment. Nothing is copied: they live as long as the command, which is small itself, so
/// that one who supervises the daemon can keep it.
#[derive(Clone)]
pub struct Command<'a> {
    daemon: &'a CStr,
    /// Where along PATH the daemon was found; empty where it is a path, `None` where it was not.
    directory: Option<&'a [u8]>,
    /// Behind the daemon's name.
    words: Strings<'a>,
    /// With the settings, which are left out when it is read.
    environment: Strings<'a>,
    added: Option<&'static CStr>,
    left_out: Option<&'static [u8]>,
    /// The daemon looks there before it looks along its PATH; empty if it has only that.
    pub(crate) first_directory: &'static str,
}

impl<'a> Command<'a> {
    /// The daemon as a path, or a name that is looked up in PATH; the words behind its name; its environment as
    /// `NAME=value`, of which DOCKER_LAUNCH_ settings are left out. The old `docker -d` and `docker daemon` become
    /// `dockerd` where that is installed.
    ///
    /// # Errors
    /// [`Step::Find`]: no such program, or one that cannot be executed.
    pub fn new(
        daemon: &'a CStr,
        words: impl Into<Strings<'a>>,
        environment: impl Into<Strings<'a>>,
    ) -> Result<Self> {
        Self::unfound(daemon, words.into(), environment.into()).found()
    }

    fn found(self) -> Result<Self> {
        if self.directory.is_none() {
            // Once more, for the reason.
            self.directory_of(self.daemon)?;
        }
        Ok(self)
    }

    /// An environment for the image's programs: nothing is looked for yet.
    pub(crate) fn without_daemon(daemon: &'a CStr, environment: Strings<'a>) -> Self {
        Self {
            daemon,
            directory: None,
            words: (&[]).into(),
            environment,
            added: None,
            left_out: None,
            first_directory: "",
        }
    }

    /// As [`Command::new`], but the daemon need not be there.
    fn unfound(daemon: &'a CStr, words: Strings<'a>, environment: Strings<'a>) -> Self {
        let mut command = Self {
            words,
            ..Self::without_daemon(daemon, environment)
        };
        let mut behind = words;
        let old = base_name(daemon.to_bytes()) == b"docker"
            && behind
                .next()
                .is_some_and(|word| matches!(word.to_bytes(), b"-d" | b"--daemon" | b"daemon"));
        match old.then(|| command.directory_of(DOCKERD)) {
            Some(Ok(directory)) => {
                (command.daemon, command.directory) = (DOCKERD, Some(directory));
                command.words = behind;
            }
            _ => command.directory = command.directory_of(daemon).ok(),
        }
        command
    }

    /// What the words of the program and its environment ask for: `[DAEMON] [ARG...]`, dockerd if no daemon is named. Of
    /// the machine's PID 1 only the words behind `--` on the kernel command line count: the others were meant for the
    /// kernel or an init of another kind, and are named on the log.
    ///
    /// # Errors
    /// As [`Command::new`].
    pub fn from_words(
        role: Role,
        words: impl Into<Strings<'a>>,
        environment: impl Into<Strings<'a>>,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        let meant = match role {
            Role::Machine if role::in_first_namespace() => {
                cmdline::count_for_init(settings.as_log())
            }
            _ => usize::MAX,
        };
        let mut words = words.into();
        let stray = words.count().saturating_sub(meant);
        if stray > 0 {
            tell_ignored(words.take(stray), settings);
            words.nth(stray - 1);
        }
        let (daemon, words) = first_daemon(words);
        Self::unfound(daemon, words, environment.into()).found()
    }

    /// All words count, and the daemon need not be there.
    #[cfg(feature = "check")]
    pub(crate) fn to_check(words: Strings<'a>, environment: Strings<'a>) -> Self {
        let (daemon, words) = first_daemon(words);
        Self::unfound(daemon, words, environment)
    }

    /// As it is executed; empty where it was not found.
    pub(crate) fn path(&self) -> Text<PATH> {
        self.directory
            .map_or(Text::new(), |place| join(place, self.daemon))
    }

    /// What messages call the daemon.
    pub(crate) fn name(&self) -> &'a [u8] {
        base_name(self.daemon.to_bytes())
    }

    /// A flag that the daemon is not told, with its value.
    #[cfg(feature = "network")]
    pub(crate) fn leave_out(&mut self, flag: &'static [u8]) {
        self.left_out = Some(flag);
    }

    /// One more variable for the daemon, beside those it was given.
    pub(crate) fn add_variable(&mut self, variable: &'static CStr) {
        self.added = Some(variable);
    }

    /// Where programs are looked for.
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
        feature = "state"
    ))]
    pub(crate) fn look_up(&self, program: &CStr) -> Result<Text<PATH>> {
        let directory = self.directory_of(program)?;
        Ok(join(directory, program))
    }

    /// Where a program is, as a shell finds it: a name with a slash as it stands, else the first executable of that name
    /// along PATH.
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
fn tell_ignored<'a>(words: impl Iterator<Item = &'a CStr>, settings: &Settings<'_>) {
    let mut ignored: Vec<&[u8], { 2 * KERNEL_WORDS + 2 }> = Vec::new();
    let _ = ignored.push(b"ignored:");
    for word in words.take(KERNEL_WORDS) {
        let _ = ignored.extend_from_slice(&[b" ", word.to_bytes()]);
    }
    let _ = ignored.push(b" (the daemon's words stand behind -- on the kernel command line)");
    settings.as_log().line(&ignored);
}

/// The first word, or dockerd where that is a flag or there is none; and the words behind it.
fn first_daemon(words: Strings<'_>) -> (&CStr, Strings<'_>) {
    let mut behind = words;
    match behind
        .find(|word| !cmdline::is_of_boot_loader(word.to_bytes()))
        .filter(|word| !word.to_bytes().starts_with(b"-"))
    {
        Some(daemon) => (daemon, behind),
        None => (DEFAULT, words),
    }
}

/// There is such a file, but it cannot be executed.
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
    fn c7_words_have_no_limit_of_ours() {
        let many = &[c"x"; 100_000];
        let command = Command::new(c"/bin/sh", many, many).unwrap();
        assert_eq!(command.words().count(), 100_001);
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
            let words = [&[c"-D", c"-b", c"br0"][..], bip, &[c"--bip6", c"x"]].concat();
            let mut command = Command::new(c"/bin/sh", &words[..], &[]).unwrap();
            command.leave_out(b"--bip");
            let left = [c"/bin/sh", c"-D", c"-b", c"br0", c"--bip6", c"x"];
            assert!(command.words().eq(left), "{bip:?}");
        }
    }
}
