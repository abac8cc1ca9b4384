//! DOCKER_LAUNCH_*: one table of names, allowed values and what each sets. The names work with `docker run -e` and on the
//! kernel command line: the kernel puts `NAME=value` words that it does not know into PID 1's environment.
//!
//! All settings are checked before anything is changed. A setting that this build lacks the feature for is an error.

mod choices;
pub(crate) mod ip;
mod table;

pub use choices::*;

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

/// The settings of a launch. [`Settings::default`] has those of the program without any variable.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Settings<'a> {
    /// Log every step, with the milliseconds since the kernel started.
    pub debug: bool,
    /// The role; `None`: find it out.
    pub role: Option<Role>,
    /// Which cgroup layout to mount.
    pub cgroup: Cgroup,
    /// More kernel modules to load, separated by commas.
    pub modules: &'a CStr,
    /// What to do when a requirement is missing.
    pub prerequisites: Prerequisites,
    /// The disk to mount at the daemon's data root; empty: none.
    pub state: &'a CStr,
    /// The file system to make on it if it is blank; empty: none.
    pub state_format: &'static CStr,
    /// A static address.
    pub ip: Option<Ip<'a>>,
    /// Name servers, separated by commas.
    pub dns: &'a CStr,
    /// The hostname; empty: the one in `ip` or in /etc/hostname.
    pub hostname: &'a CStr,
    /// Whether to supervise the daemon.
    pub reap: Reap,
    /// A program to run once, when the supervised engine first answers; empty: none.
    pub ready: &'a CStr,
    /// Who starts containerd.
    pub containerd: ContainerdBy,
    /// When a supervised daemon ends by itself; `None`: restart on the machine, exit in a container.
    pub on_exit: Option<OnExit>,
    /// When the launch fails on the machine. Only the program uses it, not the library.
    pub on_failure: OnFailure,
    /// How many seconds a supervised daemon may take to shut down.
    pub shutdown_timeout: u32,
    /// The descriptor of the log.
    pub log: u32,
    /// The process is the program dockerlaunch: udhcpc can run it as its script.
    pub is_program: bool,
    /// The environment has the variable `container`.
    pub(crate) in_container: bool,
    /// The signal mask from before this program blocked all signals.
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
            containerd: ContainerdBy::Auto,
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

/// The prefix of all settings.
const PREFIX: &[u8] = b"DOCKER_LAUNCH_";

/// Whether an environment variable has the prefix, known or not.
pub(crate) fn is_setting(variable: &CStr) -> bool {
    variable.to_bytes().starts_with(PREFIX)
}

impl<'a> Settings<'a> {
    /// Reads the settings from environment variables `NAME=value`. An unknown one is ignored with a warning.
    ///
    /// # Errors
    /// [`Step::Setting`]: a value that is not allowed (the message lists the allowed ones), or a feature that this build lacks.
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
                // The rest is still read after a wrong one: ON_FAILURE may be among it.
                Some(row) => outcome = outcome.and(self.set(row, variable)),
                None => self.as_log().warning(
                    "{} is not a setting of dockerlaunch; it is ignored",
                    &[variable.to_bytes()],
                ),
            }
        }
        outcome.and_then(|()| self.check_state_format())
    }

    /// A format without a disk would do nothing.
    fn check_state_format(&self) -> Result<()> {
        if !self.state.is_empty() || self.state_format.is_empty() {
            return Ok(());
        }
        let reason = "name the disk in DOCKER_LAUNCH_STATE, too";
        let subject = b"DOCKER_LAUNCH_STATE_FORMAT";
        Err(Error::with_reason(Step::Setting, subject, reason))
    }

    /// What is wrong with an environment variable: its name without the prefix, and the error, or `None` if there is no such
    /// setting.
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

    /// Writes an error to the log, as one line.
    pub fn report(&self, error: &Error) {
        error.format(&mut |parts| self.as_log().line("", parts));
    }

    /// Whether this process supervises the daemon.
    #[cfg(feature = "supervise")]
    pub(crate) fn supervises(&self, role: Role) -> bool {
        match self.reap {
            Reap::Auto => role == Role::Machine,
            Reap::Never => false,
            Reap::Always => true,
        }
    }

    /// Never in this build.
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

/// The names of all settings, without the prefix.
#[cfg(feature = "check")]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.name)
}

/// The value of a variable `NAME=value`.
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
    fn other_variables_set_nothing() {
        let settings = read([c"HOME=/", c"DOCKER=x"]).unwrap();
        assert!(
            !settings.debug
                && settings.role.is_none()
                && settings.ip.is_none()
                && !settings.in_container
        );
    }

    #[test]
    fn settings_are_read() {
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
    fn the_error_of_a_wrong_value_lists_the_allowed_ones() {
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
    fn a_setting_without_its_feature_names_the_feature() {
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
        fn any_value_is_handled(row in 0..TABLE.len(), value in "[^\0]{0,80}") {
            let variable = CString::new(format!("DOCKER_LAUNCH_{}={value}", TABLE[row].name)).unwrap();
            let _ = refusal(&variable);
        }
    }
}
