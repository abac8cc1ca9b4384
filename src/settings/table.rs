//! The table of settings: names, allowed values, which of them this build supports, and what each sets.

use super::{Cgroup, ContainerdBy, OnExit, OnFailure, Prerequisites, Reap, Role, Settings};
use crate::{
    settings::ip::{Ip, address, is_hostname},
    text::{fields, list, number, split_once},
};
use core::ffi::CStr;

pub(super) struct Row {
    /// Without DOCKER_LAUNCH_.
    pub(super) name: &'static str,
    /// The reason in the error of a wrong value; for a choice also the list in which the value is looked up.
    pub(super) allowed: &'static str,
    /// How many of the choices this build supports, counted from the first; for a free value all or none.
    pub(super) built: usize,
    /// Why the others are not supported.
    pub(super) missing: &'static str,
    pub(super) set: Set,
}

pub(super) enum Set {
    /// One of the allowed values, by its index.
    Choice(fn(&mut Settings<'_>, usize)),
    /// Sets the value, or returns what is wrong with it; an empty text stands for `allowed`.
    Value(for<'a> fn(&mut Settings<'a>, &'a CStr) -> core::result::Result<(), &'static str>),
}
use Set::{Choice, Value};

const ALL: usize = usize::MAX;
const NETWORK: usize = if cfg!(feature = "network") { ALL } else { 0 };
const SUPERVISE: usize = if cfg!(feature = "supervise") { ALL } else { 0 };
const REAP: usize = if cfg!(feature = "supervise") { ALL } else { 2 };
const STATE: usize = if cfg!(feature = "state") { ALL } else { 0 };
const MODPROBE: usize = if cfg!(feature = "modprobe") { ALL } else { 0 };

const NO_SUPERVISE: &str = "this build cannot supervise: it needs the Cargo feature `supervise`";
const NO_STATE: &str = "this build has no state disk: it needs the Cargo feature `state`";
const NO_NETWORK: &str = "this build has no network: it needs the Cargo feature `network`";
const NO_MODULES: &str = "this build loads no modules: it needs the Cargo feature `modprobe`";

/// All settings. A build without a setting's feature checks its value, too, and then refuses it.
pub(super) static TABLE: &[Row] = &[
    Row {
        name: "DEBUG",
        allowed: "allowed: true, false",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| settings.debug = place == 0),
    },
    Row {
        name: "AS",
        allowed: "allowed: auto, machine, container",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| {
            settings.role = match place {
                0 => None,
                1 => Some(Role::Machine),
                _ => Some(Role::Container),
            }
        }),
    },
    Row {
        name: "REAP",
        allowed: "allowed: auto, false, true",
        built: REAP,
        missing: NO_SUPERVISE,
        set: Choice(|settings, place| {
            settings.reap = match place {
                0 => Reap::Auto,
                1 => Reap::Never,
                _ => Reap::Always,
            }
        }),
    },
    Row {
        name: "CGROUP",
        allowed: "allowed: auto, v2, v1, hybrid",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| {
            settings.cgroup = match place {
                0 => Cgroup::Auto,
                1 => Cgroup::V2,
                2 => Cgroup::V1,
                _ => Cgroup::Hybrid,
            }
        }),
    },
    Row {
        name: "MODULES",
        allowed: "allowed: at most 48 names of up to 56 letters, digits, _ and -, separated by commas",
        built: MODPROBE,
        missing: NO_MODULES,
        set: Value(|settings, value| {
            settings.modules = value;
            let mut names = list(value.to_bytes()).enumerate();
            unless(names.any(|(place, name)| place >= 48 || !is_module(name)))
        }),
    },
    Row {
        name: "PREREQUISITES",
        allowed: "allowed: require, warn, skip",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| {
            settings.prerequisites = match place {
                0 => Prerequisites::Require,
                1 => Prerequisites::Warn,
                _ => Prerequisites::Skip,
            }
        }),
    },
    Row {
        name: "STATE",
        allowed: "allowed: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=",
        built: STATE,
        missing: NO_STATE,
        set: Value(|settings, value| {
            settings.state = value;
            let (scheme, name) = split_once(value.to_bytes(), b'=');
            let schemes = [&b"LABEL"[..], b"UUID", b"PARTLABEL", b"PARTUUID"];
            let named = name.is_some() && schemes.contains(&scheme);
            unless(!named && !value.to_bytes().starts_with(b"/dev/"))
        }),
    },
    Row {
        name: "STATE_FORMAT",
        allowed: "allowed: ext4, xfs, btrfs",
        built: STATE,
        missing: NO_STATE,
        set: Choice(|settings, place| {
            settings.state_format = [c"ext4", c"xfs", c"btrfs"]
                .get(place)
                .copied()
                .unwrap_or_default();
        }),
    },
    Row {
        name: "IP",
        allowed: "",
        built: NETWORK,
        missing: NO_NETWORK,
        set: Value(|settings, value| {
            settings.ip = Some(Ip::parse(value.to_bytes())?);
            Ok(())
        }),
    },
    Row {
        name: "DNS",
        allowed: "allowed: at most three addresses, separated by commas",
        built: NETWORK,
        missing: NO_NETWORK,
        set: Value(|settings, value| {
            settings.dns = value;
            let servers = list(value.to_bytes());
            unless(
                servers
                    .enumerate()
                    .any(|(place, server)| place >= 3 || !is_server(server)),
            )
        }),
    },
    Row {
        name: "HOSTNAME",
        allowed: "allowed: 1 to 64 letters, digits, dots and dashes",
        built: NETWORK,
        missing: NO_NETWORK,
        set: Value(|settings, value| {
            settings.hostname = value;
            unless(value.is_empty() || !is_hostname(value.to_bytes()))
        }),
    },
    Row {
        name: "READY",
        allowed: "allowed: the path of a program, from /",
        built: SUPERVISE,
        missing: NO_SUPERVISE,
        set: Value(|settings, value| {
            settings.ready = value;
            unless(!value.to_bytes().starts_with(b"/"))
        }),
    },
    Row {
        name: "CONTAINERD",
        allowed: "allowed: auto, daemon",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| {
            settings.containerd = match place {
                0 => ContainerdBy::Auto,
                _ => ContainerdBy::Daemon,
            }
        }),
    },
    Row {
        name: "ON_EXIT",
        allowed: "allowed: restart, poweroff, reboot, halt, exit",
        built: SUPERVISE,
        missing: NO_SUPERVISE,
        set: Choice(|settings, place| {
            settings.on_exit = Some(match place {
                0 => OnExit::Restart,
                1 => OnExit::PowerOff,
                2 => OnExit::Reboot,
                3 => OnExit::Halt,
                _ => OnExit::Exit,
            })
        }),
    },
    Row {
        name: "ON_FAILURE",
        allowed: "allowed: panic, poweroff, reboot, shell",
        built: ALL,
        missing: "",
        set: Choice(|settings, place| {
            settings.on_failure = match place {
                0 => OnFailure::Panic,
                1 => OnFailure::PowerOff,
                2 => OnFailure::Reboot,
                _ => OnFailure::Shell,
            }
        }),
    },
    Row {
        name: "SHUTDOWN_TIMEOUT",
        allowed: "allowed: 1 to 86400 seconds",
        built: SUPERVISE,
        missing: NO_SUPERVISE,
        set: Value(|settings, value| {
            let seconds = number(value.to_bytes()).filter(|seconds| (1..=86_400).contains(seconds));
            settings.shutdown_timeout = seconds.map_or(0, |seconds| seconds as u32);
            unless(seconds.is_none())
        }),
    },
];

fn unless(wrong: bool) -> core::result::Result<(), &'static str> {
    if wrong { Err("") } else { Ok(()) }
}

/// The kernel's limit for a module's name is 56 bytes (MODULE_NAME_LEN).
fn is_module(name: &[u8]) -> bool {
    name.len() <= 56
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// IPv4, or something like IPv6: groups of up to four hexadecimal digits with at least two colons.
fn is_server(server: &[u8]) -> bool {
    let is_group = |group: &[u8]| group.len() <= 4 && group.iter().all(u8::is_ascii_hexdigit);
    let groups = fields(server, b':');
    address(server).is_some() || (groups.clone().count() > 2 && groups.clone().all(is_group))
}
