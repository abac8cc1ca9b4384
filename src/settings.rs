//! DOCKER_LAUNCH_*: one table of names, what is allowed, and what it sets. The same names serve `docker run -e` and the
//! kernel command line, whose unknown `NAME=value` words become the environment of PID 1.
//!
//! Everything is checked before anything is touched. A setting that this build cannot follow is an error, never ignored.

use crate::{
    error::{Error, Result, Step},
    ip::{Ip, address, is_hostname},
    log::Log,
    text::{list, number, split_once},
};
use core::ffi::CStr;

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
    /// A static address.
    pub ip: Option<Ip<'a>>,
    /// Name servers, separated by commas.
    pub dns: &'a CStr,
    /// The machine's name; empty: that of `ip`, or of /etc/hostname.
    pub hostname: &'a CStr,
    /// The descriptor that messages are written to.
    pub log: u32,
    /// The environment says `container=`.
    pub(crate) in_container: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            debug: false,
            role: None,
            cgroup: Cgroup::Auto,
            modules: c"",
            ip: None,
            dns: c"",
            hostname: c"",
            log: 2,
            in_container: false,
        }
    }
}

/// Takes the value, or says why not.
type Apply = for<'a> fn(&mut Settings<'a>, &'a CStr) -> core::result::Result<(), Refusal>;

#[derive(Clone, Copy)]
enum Refusal {
    /// The row's own words say what is allowed.
    NotAllowed,
    Because(&'static str),
}

struct Row {
    /// Behind DOCKER_LAUNCH_.
    name: &'static str,
    allowed: &'static str,
    /// Why this build cannot follow it, or nothing.
    missing: &'static str,
    apply: Apply,
}

#[cfg(feature = "network")]
const NETWORK: &str = "";
#[cfg(not(feature = "network"))]
const NETWORK: &str = "this build has no network: it needs the Cargo feature `network`";
#[cfg(feature = "modprobe")]
const MODPROBE: &str = "";
#[cfg(not(feature = "modprobe"))]
const MODPROBE: &str = "this build loads no modules: it needs the Cargo feature `modprobe`";
const SUPERVISE: &str = "supervising is not built yet: dockerlaunch execs the daemon";
const STATE: &str = "the state disk is not built yet: mount the data root from the image";
const CHECK: &str = "the check of prerequisites is not built yet";

/// All settings. A row whose parser does nothing stands for a step that is not built yet: its values are checked all the same.
const TABLE: &[Row] = &[
    Row {
        name: "DEBUG",
        allowed: "allowed: true, false",
        missing: "",
        apply: |settings, value| {
            settings.debug = one_of(value, &[("true", true), ("false", false)])?;
            Ok(())
        },
    },
    Row {
        name: "AS",
        allowed: "allowed: auto, machine, container",
        missing: "",
        apply: |settings, value| {
            settings.role = one_of(
                value,
                &[
                    ("auto", None),
                    ("machine", Some(Role::Machine)),
                    ("container", Some(Role::Container)),
                ],
            )?;
            Ok(())
        },
    },
    Row {
        name: "REAP",
        allowed: "allowed: auto, true, false",
        missing: "",
        apply: |_, value| {
            one_of(
                value,
                &[
                    ("auto", Ok(())),
                    ("false", Ok(())),
                    ("true", Err(Refusal::Because(SUPERVISE))),
                ],
            )?
        },
    },
    Row {
        name: "CGROUP",
        allowed: "allowed: auto, v2, v1, hybrid",
        missing: "",
        apply: |settings, value| {
            let layouts = [
                ("auto", Cgroup::Auto),
                ("v2", Cgroup::V2),
                ("v1", Cgroup::V1),
                ("hybrid", Cgroup::Hybrid),
            ];
            settings.cgroup = one_of(value, &layouts)?;
            Ok(())
        },
    },
    Row {
        name: "MODULES",
        allowed: "allowed: names of modules, separated by commas",
        missing: MODPROBE,
        apply: |settings, value| {
            settings.modules = value;
            all(value, |name| {
                name.iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            })
        },
    },
    Row {
        name: "PREREQUISITES",
        allowed: "allowed: require, warn, skip",
        missing: CHECK,
        apply: |_, value| one_of(value, &[("require", ()), ("warn", ()), ("skip", ())]),
    },
    Row {
        name: "STATE",
        allowed: "allowed: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=",
        missing: STATE,
        apply: |_, value| {
            let starts = ["/dev/", "LABEL=", "UUID=", "PARTLABEL=", "PARTUUID="];
            refuse_unless(
                starts
                    .iter()
                    .any(|start| value.to_bytes().starts_with(start.as_bytes())),
            )
        },
    },
    Row {
        name: "STATE_FORMAT",
        allowed: "allowed: ext4, xfs, btrfs",
        missing: STATE,
        apply: |_, value| one_of(value, &[("ext4", ()), ("xfs", ()), ("btrfs", ())]),
    },
    Row {
        name: "IP",
        allowed: "",
        missing: NETWORK,
        apply: |settings, value| {
            settings.ip = Some(Ip::parse(value.to_bytes()).map_err(Refusal::Because)?);
            Ok(())
        },
    },
    Row {
        name: "DNS",
        allowed: "allowed: at most three addresses, separated by commas",
        missing: NETWORK,
        apply: |settings, value| {
            settings.dns = value;
            refuse_unless(list(value.to_bytes()).count() <= 3)?;
            all(value, |server| {
                address(server).is_some()
                    || server
                        .iter()
                        .all(|byte| byte.is_ascii_hexdigit() || *byte == b':')
            })
        },
    },
    Row {
        name: "HOSTNAME",
        allowed: "allowed: 1 to 64 letters, digits, dots and dashes",
        missing: NETWORK,
        apply: |settings, value| {
            settings.hostname = value;
            refuse_unless(!value.is_empty() && is_hostname(value.to_bytes()))
        },
    },
    Row {
        name: "READY",
        allowed: "allowed: the path of a program, from /",
        missing: SUPERVISE,
        apply: |_, value| refuse_unless(value.to_bytes().starts_with(b"/")),
    },
    Row {
        name: "ON_EXIT",
        allowed: "allowed: restart, poweroff, reboot, halt, exit",
        missing: SUPERVISE,
        apply: |_, value| {
            one_of(
                value,
                &[
                    ("restart", ()),
                    ("poweroff", ()),
                    ("reboot", ()),
                    ("halt", ()),
                    ("exit", ()),
                ],
            )
        },
    },
    Row {
        name: "ON_FAILURE",
        allowed: "allowed: panic, poweroff, reboot, shell",
        missing: "",
        apply: |_, value| {
            let later = || {
                Err(Refusal::Because(
                    "only panic is built yet: the kernel's panic=N decides what follows",
                ))
            };
            one_of(
                value,
                &[
                    ("panic", Ok(())),
                    ("poweroff", later()),
                    ("reboot", later()),
                    ("shell", later()),
                ],
            )?
        },
    },
    Row {
        name: "SHUTDOWN_TIMEOUT",
        allowed: "allowed: 1 to 86400 seconds",
        missing: SUPERVISE,
        apply: |_, value| {
            refuse_unless(
                number(value.to_bytes()).is_some_and(|seconds| (1..=86_400).contains(&seconds)),
            )
        },
    },
];

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
        for variable in environment {
            let (name, _) = split_once(variable.to_bytes(), b'=');
            self.in_container |= name == b"container";
            let Some(name) = name.strip_prefix(PREFIX) else {
                continue;
            };
            match TABLE.iter().find(|row| row.name.as_bytes() == name) {
                Some(row) => self.set(row, variable)?,
                None => self.log().warning(&[
                    variable.to_bytes(),
                    b" is no setting of dockerlaunch; it is ignored",
                ]),
            }
        }
        Ok(())
    }

    fn set(&mut self, row: &Row, variable: &'a CStr) -> Result<()> {
        let refused = |reason| Err(Error::said(Step::Setting, variable.to_bytes(), reason));
        match (row.apply)(self, value(variable)) {
            Err(Refusal::NotAllowed) => refused(row.allowed),
            Err(Refusal::Because(reason)) => refused(reason),
            Ok(()) if !row.missing.is_empty() => refused(row.missing),
            Ok(()) => Ok(()),
        }
    }

    /// Writes the message of a launch that failed, as one line on the log.
    pub fn report(&self, error: &Error) {
        error.tell(|parts| self.log().line(parts));
    }

    pub(crate) fn log(&self) -> Log {
        Log {
            descriptor: self.log,
            debug: self.debug,
        }
    }
}

/// What follows the first `=`.
fn value(variable: &CStr) -> &CStr {
    let bytes = variable.to_bytes_with_nul();
    split_once(bytes, b'=')
        .1
        .and_then(|value| CStr::from_bytes_with_nul(value).ok())
        .unwrap_or_default()
}

fn one_of<T>(value: &CStr, choices: &[(&str, T)]) -> core::result::Result<T, Refusal>
where
    T: Copy,
{
    let choice = choices
        .iter()
        .find(|(name, _)| name.as_bytes() == value.to_bytes());
    choice.map(|(_, choice)| *choice).ok_or(Refusal::NotAllowed)
}

fn all(value: &CStr, good: impl Fn(&[u8]) -> bool) -> core::result::Result<(), Refusal> {
    refuse_unless(list(value.to_bytes()).all(good))
}

fn refuse_unless(good: bool) -> core::result::Result<(), Refusal> {
    if good {
        Ok(())
    } else {
        Err(Refusal::NotAllowed)
    }
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
        ]);
        let settings = settings.unwrap();
        assert_eq!(
            (settings.debug, settings.role, settings.cgroup),
            (true, Some(Role::Container), Cgroup::Hybrid)
        );
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

    #[test]
    fn what_is_not_built_says_so() {
        for variable in [
            c"DOCKER_LAUNCH_REAP=true",
            c"DOCKER_LAUNCH_ON_FAILURE=shell",
            c"DOCKER_LAUNCH_STATE=LABEL=x",
            c"DOCKER_LAUNCH_IP=dhcp",
        ] {
            let message = refusal(variable);
            assert!(
                message.contains("built yet") || message.contains("Cargo feature"),
                "{message}"
            );
        }
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
