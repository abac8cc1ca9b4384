//! The daemon to start: which program, its words, its environment, and what its own flags and daemon.json say about places
//! that a launch must know.

use crate::{
    error::{Error, Result, Step},
    fs::{self, PATH},
    role,
    settings::{Role, Settings, is_setting},
    sys::Words,
    text::{Text, base_name, fields, split_once, words_for_init},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::io::{self, Errno};

/// Words and variables that a launch takes: the kernel's own limit for init is 32, a shell's far above.
pub(crate) const MOST: usize = 1023;
/// Room for the daemon's name, what a launch adds, and the null pointer at the end.
pub(crate) const ROOM: usize = MOST + 9;

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

/// A daemon, its words and its environment. Nothing is copied: the words live as long as the command.
#[derive(Clone)]
pub struct Command<'a> {
    path: Text<PATH>,
    words: Words<'a, ROOM>,
    environment: Words<'a, ROOM>,
}

impl<'a> Command<'a> {
    /// The daemon as a path, or a name that is looked up in PATH; the words behind its name; its environment as
    /// `NAME=value`, of which DOCKER_LAUNCH_ settings are left out. The old `docker -d` and `docker daemon` become
    /// `dockerd` where that is installed.
    ///
    /// # Errors
    /// [`Step::Find`]: no such program, or one that cannot be executed. [`Step::Usage`]: more than 1,023 words or variables.
    pub fn new(
        daemon: &'a CStr,
        words: impl IntoIterator<Item = &'a CStr>,
        environment: impl IntoIterator<Item = &'a CStr>,
    ) -> Result<Self> {
        let command = Self::unfound(daemon, words, environment)?;
        // Once more, for the reason.
        if command.path().is_empty()
            && let Some(daemon) = command.words.iter().next()
        {
            command.look_up(daemon)?;
        }
        Ok(command)
    }

    /// As [`Command::new`], but a daemon that is not found leaves its path empty.
    fn unfound(
        daemon: &'a CStr,
        words: impl IntoIterator<Item = &'a CStr>,
        environment: impl IntoIterator<Item = &'a CStr>,
    ) -> Result<Self> {
        let mut command = Self::without_daemon(environment)?;
        let mut words = words.into_iter().peekable();
        let old = base_name(daemon.to_bytes()) == b"docker"
            && words
                .peek()
                .is_some_and(|word| matches!(word.to_bytes(), b"-d" | b"--daemon" | b"daemon"));
        let daemon = match old.then(|| command.look_up(DOCKERD)) {
            Some(Ok(path)) => {
                words.next();
                command.path = path;
                DOCKERD
            }
            _ => {
                command.path = command.look_up(daemon).unwrap_or(Text::new());
                daemon
            }
        };
        for word in core::iter::once(daemon).chain(words) {
            limited(&mut command.words, word, MOST + 1, "more than 1,023 words")?;
        }
        Ok(command)
    }

    /// An environment for the image's programs.
    pub(crate) fn without_daemon(environment: impl IntoIterator<Item = &'a CStr>) -> Result<Self> {
        let mut command = Self {
            path: Text::new(),
            words: Words::new(),
            environment: Words::new(),
        };
        for variable in environment {
            if !is_setting(variable) {
                limited(
                    &mut command.environment,
                    variable,
                    MOST,
                    "more than 1,023 environment variables",
                )?;
            }
        }
        Ok(command)
    }

    /// What the words of the program and its environment ask for: `[DAEMON] [ARG...]`, dockerd if no daemon is named. Of
    /// the machine's PID 1 only the words behind `--` on the kernel command line count: the others were meant for the
    /// kernel or an init of another kind, and are named on the log.
    ///
    /// # Errors
    /// As [`Command::new`].
    pub fn from_words(
        role: Role,
        words: impl Iterator<Item = &'a CStr> + Clone,
        environment: impl IntoIterator<Item = &'a CStr>,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        let meant = match role {
            Role::Machine if role::in_first_namespace() => behind_dashes(),
            _ => usize::MAX,
        };
        let stray = words.clone().count().saturating_sub(meant);
        let mut ignored: Vec<&[u8], { 2 * KERNEL_WORDS + 2 }> = Vec::new();
        let _ = ignored.push(b"ignored:");
        for word in words.clone().take(stray.min(KERNEL_WORDS)) {
            let _ = ignored.extend_from_slice(&[b" ", word.to_bytes()]);
        }
        if stray > 0 {
            let _ =
                ignored.push(b" (the daemon's words stand behind -- on the kernel command line)");
            settings.as_log().line(&ignored);
        }
        let mut words = words.skip(stray).peekable();
        let daemon = words.next_if(is_daemon).unwrap_or(DEFAULT);
        Self::new(daemon, words, environment)
    }

    /// All words count, and the daemon need not be there.
    #[cfg(feature = "check")]
    pub(crate) fn to_check(
        words: impl Iterator<Item = &'a CStr>,
        environment: impl IntoIterator<Item = &'a CStr>,
    ) -> Result<Self> {
        let mut words = words.peekable();
        let daemon = words.next_if(is_daemon).unwrap_or(DEFAULT);
        Self::unfound(daemon, words, environment)
    }

    pub(crate) fn path(&self) -> &CStr {
        self.path.as_c_str()
    }

    pub(crate) fn words(&self) -> &Words<'a, ROOM> {
        &self.words
    }

    /// Drops the words for which `keep` says no.
    #[cfg(feature = "network")]
    pub(crate) fn retain(&mut self, keep: &mut dyn FnMut(&CStr) -> bool) {
        let mut kept = Words::new();
        for word in self.words.iter().filter(|word| keep(word)) {
            let _ = kept.push(word); // there was room for all of them
        }
        self.words = kept;
    }

    pub(crate) fn environment(&self) -> &Words<'a, ROOM> {
        &self.environment
    }

    /// One more variable for the daemon, beside those it was given.
    pub(crate) fn add_variable(&mut self, variable: &'static CStr) -> io::Result<()> {
        if self.environment.push(variable) {
            Ok(())
        } else {
            Err(Errno::TOOBIG)
        }
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.environment.iter().find_map(|variable| {
            let (found, value) = split_once(variable.to_bytes(), b'=');
            value.filter(|_| found == name)
        })
    }

    /// As a shell finds it: a name with a slash as it stands, else the first executable of that name along PATH.
    pub(crate) fn look_up(&self, program: &CStr) -> Result<Text<PATH>> {
        let failed = |errno| Error::new(Step::Find, program.to_bytes(), errno);
        if program.to_bytes().contains(&b'/') {
            let path = fs::path(&[program.to_bytes()]).map_err(failed)?;
            return fs::executable(program)
                .map(|()| path)
                .map_err(|errno| failed(found_but(errno).unwrap_or(errno)));
        }
        let directories = self
            .variable(b"PATH")
            .or(split_once(DEFAULT_PATH.to_bytes(), b'=').1)
            .unwrap_or_default();
        let mut outcome = Errno::NOENT;
        for directory in fields(directories, b':')
            .filter(|directory| !directory.is_empty() && !program.is_empty())
        {
            let path = fs::path(&[directory, b"/", program.to_bytes()]).map_err(failed)?;
            match fs::executable(path.as_c_str()) {
                Ok(()) => return Ok(path),
                Err(errno) => outcome = found_but(errno).unwrap_or(outcome),
            }
        }
        Err(failed(outcome))
    }
}

/// Not the first flag of the daemon that is not named.
fn is_daemon(word: &&CStr) -> bool {
    !word.to_bytes().starts_with(b"-")
}

/// There is such a file, but it cannot be executed.
fn found_but(errno: Errno) -> Option<Errno> {
    (!matches!(errno, Errno::NOENT | Errno::NOTDIR)).then_some(errno)
}

/// How many words stand behind `--` on the kernel command line; all count if it cannot be read.
fn behind_dashes() -> usize {
    let mut line = [0; 4096];
    fs::read_small(c"/proc/cmdline", &mut line).map_or(usize::MAX, words_for_init)
}

fn limited<'a>(
    words: &mut Words<'a, ROOM>,
    word: &'a CStr,
    most: usize,
    reason: &'static str,
) -> Result<()> {
    if words.len() < most && words.push(word) {
        Ok(())
    } else {
        Err(Error::said(Step::Usage, word.to_bytes(), reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&'static CStr]) -> Command<'static> {
        Command::new(c"/bin/sh", words.iter().copied(), []).unwrap()
    }

    #[test]
    fn a_name_is_looked_up_and_a_path_taken() {
        assert_eq!(
            Command::new(c"sh", [], [c"PATH=/nonsense:/bin"])
                .unwrap()
                .path(),
            c"/bin/sh"
        );
        assert_eq!(command(&[]).path(), c"/bin/sh");
        assert_eq!(
            Command::new(c"no-such-daemon", [], [])
                .err()
                .unwrap()
                .exit_status(),
            127
        );
        assert_eq!(
            Command::new(c"/etc/passwd", [], [])
                .err()
                .unwrap()
                .exit_status(),
            126
        );
        assert_eq!(
            Command::new(c"passwd", [], [c"PATH=/etc"])
                .err()
                .unwrap()
                .exit_status(),
            126
        );
        assert_eq!(
            Command::new(c"/etc", [], []).err().unwrap().exit_status(),
            126
        );
        assert_eq!(Command::new(c"", [], []).err().unwrap().exit_status(), 127);
    }

    #[test]
    fn settings_are_not_passed_on() {
        let command = Command::new(
            c"/bin/sh",
            [],
            [c"A=1", c"DOCKER_LAUNCH_DEBUG=true", c"B=2"],
        )
        .unwrap();
        assert!(command.environment().iter().eq([c"A=1", c"B=2"]));
    }

    #[test]
    fn one_word_too_many_is_an_error() {
        let words = |count| core::iter::repeat_n(c"x", count);
        assert_eq!(
            Command::new(c"/bin/sh", words(MOST), [])
                .unwrap()
                .words()
                .len(),
            MOST + 1
        );
        assert_eq!(
            Command::new(c"/bin/sh", words(MOST + 1), [])
                .err()
                .unwrap()
                .exit_status(),
            2
        );
        assert_eq!(
            Command::new(c"/bin/sh", [], words(MOST + 1))
                .err()
                .unwrap()
                .exit_status(),
            2
        );
    }
}
