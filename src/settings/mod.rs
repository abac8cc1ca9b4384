//! DOCKER_LAUNCH_*: one table of names, what is allowed, and what it sets. The same names serve `docker run -e` and the
//! kernel command line, whose unknown `NAME=value` words become the environment of PID 1.
//!
//! Everything is checked before anything is touched. A setting that this build cannot follow is an error, never ignored.

pub(crate) mod ip;
mod table;

use crate::{
    error::{Error, Result, Step},
    log::Log,
    settings::ip::Ip,
    text::{list, split_once, trim},
};
use core::ffi::CStr;
use table::{
    Row,
    Set::{Choice, Value},
    TABLE,
};

/// What dockerlaunch is on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The machine's PID 1, started by the kernel: everything is set up.
    Machine,
    /// The entry point of a privileged container: what the outer engine made is kept.
    Container,
}

/// Which cgroup layout is mounted below /sys/fs/cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cgroup {
    /// What is mounted stays; else v2, unless only v1 has cpu, memory and pids.
    #[default]
    Auto,
    /// The unified hierarchy.
    V2,
    /// A hierarchy for each controller, and one named systemd.
    V1,
    /// As v1, with an empty unified hierarchy at /sys/fs/cgroup/unified.
    Hybrid,
}

/// What a launch does when something is missing that Docker cannot do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prerequisites {
    /// It ends.
    #[default]
    Require,
    /// It warns and goes on.
    Warn,
    /// Nothing is looked for.
    Skip,
}

/// Whether dockerlaunch stays PID 1 and supervises the daemon, or becomes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reap {
    /// On the machine it supervises, in a container it becomes the daemon.
    #[default]
    Auto,
    /// It becomes the daemon.
    Never,
    /// It supervises.
    Always,
}

/// What follows when a supervised daemon ends without being told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExit {
    /// It is started again.
    Restart,
    /// The machine is powered off.
    PowerOff,
    /// The machine starts again.
    Reboot,
    /// The machine stops and keeps its power.
    Halt,
    /// dockerlaunch ends as the daemon did; on the machine the kernel panics then, and its `panic=N` decides.
    Exit,
}

/// What follows when the machine's PID 1 cannot launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// The program ends, the kernel panics, and its `panic=N` decides.
    #[default]
    Panic,
    /// The machine is powered off.
    PowerOff,
    /// The machine starts again.
    Reboot,
    /// A root shell on the console, which asks for no password.
    Shell,
}

/// How a launch is done. [`Settings::default`] is what the program does without any setting.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Settings<'a> {
    /// A line for every step, with the milliseconds since kernel start.
    pub debug: bool,
    /// The role, where it is not to be found out.
    pub role: Option<Role>,
    /// Which cgroup layout to mount.
    pub cgroup: Cgroup,
    /// More kernel modules to load, separated by commas.
    pub modules: &'a CStr,
    /// What is done about a missing program.
    pub prerequisites: Prerequisites,
    /// The disk mounted at the daemon's data root; empty: none.
    pub state: &'a CStr,
    /// The file system made on it if it is blank; empty: none.
    pub state_format: &'static CStr,
    /// A static address.
    pub ip: Option<Ip<'a>>,
    /// Name servers, separated by commas.
    pub dns: &'a CStr,
    /// The machine's name; empty: that of `ip`, or of /etc/hostname.
    pub hostname: &'a CStr,
    /// Whether to supervise the daemon.
    pub reap: Reap,
    /// A program that is run once, when the supervised engine answers first; empty: none.
    pub ready: &'a CStr,
    /// When a supervised daemon ends by itself; without it, restart on the machine and exit in a container.
    pub on_exit: Option<OnExit>,
    /// When the machine's PID 1 cannot launch: what the program does, not the library.
    pub on_failure: OnFailure,
    /// How many seconds a supervised daemon may take to end.
    pub shutdown_timeout: u32,
    /// The descriptor that messages are written to.
    pub log: u32,
    /// The process is dockerlaunch itself, which udhcpc can start as its script.
    pub is_program: bool,
    /// The environment says `container=`.
    pub(crate) in_container: bool,
    /// What was blocked before this program blocked all signals.
    #[cfg(feature = "supervise")]
    pub(crate) mask: Option<crate::sys::Mask>,
}

impl Default for Settings<'_> {
    #[inline(never)]
    fn default() -> Self {
        Self {
            debug: false,
            role: None,
            cgroup: Cgroup::Auto,
            modules: c"",
            prerequisites: Prerequisites::Require,
            state: c"",
            state_format: c"",
            ip: None,
            dns: c"",
            hostname: c"",
            reap: Reap::Auto,
            ready: c"",
            on_exit: None,
            on_failure: OnFailure::Panic,
            shutdown_timeout: 90,
            log: 2,
            is_program: false,
            in_container: false,
            #[cfg(feature = "supervise")]
            mask: None,
        }
    }
}

/// What the names of all settings begin with.
const PREFIX: &[u8] = b"DOCKER_LAUNCH_";

/// Whether an environment variable is a setting of ours, known or not.
pub(crate) fn is_setting(variable: &CStr) -> bool {
    variable.to_bytes().starts_with(PREFIX)
}

impl<'a> Settings<'a> {
    /// Takes the settings among environment variables `NAME=value`. An unknown name is told on the log and ignored.
    ///
    /// # Errors
    /// [`Step::Setting`]: a value that is not allowed, with those that are; or one that this build cannot follow.
    pub fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = &'a CStr>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        for variable in environment {
            let (name, _) = split_once(variable.to_bytes(), b'=');
            self.in_container |= name == b"container";
            let Some(name) = name.strip_prefix(PREFIX) else {
                continue;
            };
            match TABLE.iter().find(|row| row.name.as_bytes() == name) {
                // All are taken, whichever is wrong: what follows a failure is a setting, too.
                Some(row) => outcome = outcome.and(self.set(row, variable)),
                None => self.as_log().warning(&[
                    variable.to_bytes(),
                    b" is no setting of dockerlaunch; it is ignored",
                ]),
            }
        }
        outcome.and_then(|()| self.disk_is_named())
    }

    /// A format alone would be followed by nobody.
    fn disk_is_named(&self) -> Result<()> {
        if !self.state.is_empty() || self.state_format.is_empty() {
            return Ok(());
        }
        let reason = "name the disk in DOCKER_LAUNCH_STATE, too";
        let subject = b"DOCKER_LAUNCH_STATE_FORMAT";
        Err(Error::with_reason(Step::Setting, subject, reason))
    }

    /// What is wrong with an environment variable: the name behind DOCKER_LAUNCH_, and the error of a launch with it, or none
    /// where there is no such setting.
    #[cfg(feature = "check")]
    pub(crate) fn fault(variable: &'a CStr) -> Option<(&'a [u8], Option<Error>)> {
        let (name, _) = split_once(variable.to_bytes(), b'=');
        let name = name.strip_prefix(PREFIX)?;
        match TABLE.iter().find(|row| row.name.as_bytes() == name) {
            Some(row) => Some((name, Some(Settings::default().set(row, variable).err()?))),
            None => Some((name, None)),
        }
    }

    fn set(&mut self, row: &Row, variable: &'a CStr) -> Result<()> {
        let refused = |reason| {
            Err(Error::with_reason(
                Step::Setting,
                variable.to_bytes(),
                reason,
            ))
        };
        let value = value(variable);
        let place = match row.set {
            Choice(set) => {
                let choices = row
                    .allowed
                    .as_bytes()
                    .strip_prefix(b"allowed: ")
                    .unwrap_or_default();
                match list(choices)
                    .map(trim)
                    .position(|choice| choice == value.to_bytes())
                {
                    Some(place) => {
                        set(self, place);
                        place
                    }
                    None => return refused(row.allowed),
                }
            }
            Value(set) => match set(self, value) {
                Ok(()) => 0,
                Err("") => return refused(row.allowed),
                Err(reason) => return refused(reason),
            },
        };
        if place < row.built {
            Ok(())
        } else {
            refused(row.missing)
        }
    }

    /// Writes the message of a launch that failed, as one line on the log.
    pub fn report(&self, error: &Error) {
        error.format(&mut |parts| self.as_log().line(parts));
    }

    /// This process stays and supervises the daemon.
    #[cfg(feature = "supervise")]
    pub(crate) fn supervises(&self, role: Role) -> bool {
        match self.reap {
            Reap::Auto => role == Role::Machine,
            Reap::Never => false,
            Reap::Always => true,
        }
    }

    /// Nothing in this build does.
    #[cfg(not(feature = "supervise"))]
    pub(crate) fn supervises(&self, _: Role) -> bool {
        false
    }

    pub(crate) fn as_log(&self) -> Log {
        Log {
            descriptor: self.log,
            debug: self.debug,
        }
    }
}

/// The names of all settings, behind DOCKER_LAUNCH_.
#[cfg(feature = "check")]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// What follows the first `=`.
fn value(variable: &CStr) -> &CStr {
    let bytes = variable.to_bytes_with_nul();
    split_once(bytes, b'=')
        .1
        .and_then(|value| CStr::from_bytes_with_nul(value).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{ffi::CString, format, string::ToString};

    fn read<const N: usize>(variables: [&CStr; N]) -> Result<Settings<'_>> {
        let mut settings = Settings::default();
        settings.read_environment(variables).map(|()| settings)
    }

    fn refusal(variable: &CStr) -> std::string::String {
        read([variable])
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn without_settings_nothing_is_set() {
        let settings = read([c"HOME=/", c"DOCKER=x"]).unwrap();
        assert!(
            !settings.debug
                && settings.role.is_none()
                && settings.ip.is_none()
                && !settings.in_container
        );
    }

    #[test]
    fn each_setting_that_is_built_is_taken() {
        let settings = read([
            c"DOCKER_LAUNCH_DEBUG=true",
            c"DOCKER_LAUNCH_AS=container",
            c"DOCKER_LAUNCH_CGROUP=hybrid",
            c"DOCKER_LAUNCH_PREREQUISITES=warn",
        ]);
        let settings = settings.unwrap();
        assert_eq!(
            (settings.debug, settings.role, settings.cgroup),
            (true, Some(Role::Container), Cgroup::Hybrid)
        );
        assert_eq!(settings.prerequisites, Prerequisites::Warn);
        assert!(
            read([c"container=lxc", c"DOCKER_LAUNCH_REAP=false"])
                .unwrap()
                .in_container
        );
    }

    #[test]
    fn a_wrong_value_names_the_setting_the_value_and_what_is_allowed() {
        for row in TABLE {
            let wrong = CString::new(format!("DOCKER_LAUNCH_{}=?!", row.name)).unwrap();
            let message = refusal(&wrong);
            assert!(
                message.starts_with(&format!("setting DOCKER_LAUNCH_{}=?!: ", row.name)),
                "{message}"
            );
            assert!(
                message.contains(row.allowed) && message.len() > 40,
                "{message}"
            );
        }
    }

    #[cfg(not(feature = "supervise"))]
    #[test]
    fn what_is_not_built_says_so() {
        assert!(refusal(c"DOCKER_LAUNCH_REAP=true").contains("Cargo feature"));
    }

    #[cfg(feature = "network")]
    #[test]
    fn lists_are_checked_item_by_item() {
        assert_eq!(refusal(c"DOCKER_LAUNCH_DNS=10.0.2.3,::1"), "");
        assert!(refusal(c"DOCKER_LAUNCH_DNS=1,2,3,4").contains("at most three"));
        assert!(refusal(c"DOCKER_LAUNCH_DNS=10.0.2.x").contains("allowed"));
    }

    proptest! {
        #[test]
        fn any_value_is_judged(row in 0..TABLE.len(), value in "[^\0]{0,80}") {
            let variable = CString::new(format!("DOCKER_LAUNCH_{}={value}", TABLE[row].name)).unwrap();
            let _ = refusal(&variable);
        }
    }
}
