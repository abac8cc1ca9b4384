//! The daemon's configuration, as far as a launch must know it: what its flags and its daemon.json say about paths, the
//! bridge, its containerd, and the programs that it needs. A flag wins over daemon.json. The recipe reads it once, when daemon.json is as the
//! daemon will find it; the steps take what they need.

#[cfg(feature = "network")]
use crate::text::number;
use crate::{
    docker::{
        command::Command,
        flags::{self, Flags},
        json::{Found, LIST, Scanner},
        options::{self, Choices, OTHER_RUNTIME},
    },
    error::Step,
    fs::{self, Lookup, PATH},
    launch::{Context, Launch, Outcome},
    text::{Text, TooLong, split_once},
};
use core::ffi::CStr;
use rustix::io::{self, Errno};

const CONFIG_FILE: &str = "config-file";

/// The longest name of a runtime; a longer value is a path.
const NAME: usize = 128;
/// The values of `default-runtime` that mean runc's own shim.
const SHIMS_OF_RUNC: &[&[u8]] = &[b"", b"io.containerd.runc.v1", b"io.containerd.runc.v2"];

/// Objects of daemon.json that are maps. dockerd reads the boolean keys of any other object as if they were at the top (moby,
/// daemon/config, flatOptions).
const MAPS: &[&[u8]] = &[
    b"builder",
    b"cluster-store-opts",
    b"default-network-opts",
    b"default-ulimits",
    b"features",
    b"log-opts",
    b"runtimes",
];

/// What a launch must know of it.
pub(crate) struct Config {
    pub(crate) pid_file: Text<PATH>,
    /// Holds containerd/containerd.pid.
    pub(crate) exec_root: Text<PATH>,
    /// Images, containers and volumes.
    pub(crate) data_root: Text<PATH>,
    /// `-H fd://`: it serves a socket that it inherits.
    pub(crate) inherits_listener: bool,
    pub(crate) choices: Choices,
    /// Empty if it is left to the daemon.
    #[cfg(feature = "supervise")]
    pub(crate) log_level: Text<NAME>,
    #[cfg(feature = "supervise")]
    pub(crate) log_format: Text<NAME>,
    #[cfg(feature = "network")]
    pub(crate) bridge: Text<NAME>,
    /// Of the bridge, where it is not left to the kernel.
    #[cfg(feature = "network")]
    pub(crate) mtu: Option<u32>,
    runtime: Text<NAME>,
}

impl Config {
    /// As the flags and daemon.json have it now. A daemon.json that is missing or empty sets nothing.
    ///
    /// # Errors
    /// daemon.json cannot be read, or a path in it is longer than any path.
    pub(crate) fn read(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<Self> {
        let mut config = Self::unset();
        let read = config.read_all(command);
        read.at(launch, Step::Daemon, c"daemon.json")?;
        Ok(config)
    }

    fn read_all(&mut self, command: &Command<'_>) -> io::Result<()> {
        self.read_file(command)?;
        self.read_flags(command)
    }

    /// The configuration as far as it is known, and the error if daemon.json cannot be read.
    #[cfg(feature = "check")]
    pub(crate) fn known(command: &Command<'_>) -> io::Result<(Self, io::Result<()>)> {
        let mut config = Self::unset();
        let read = config.read_file(command);
        config.read_flags(command)?;
        Ok((config, read))
    }

    const fn unset() -> Self {
        Self {
            pid_file: Text::new(),
            exec_root: Text::new(),
            data_root: Text::new(),
            inherits_listener: false,
            choices: 0,
            #[cfg(feature = "supervise")]
            log_level: Text::new(),
            #[cfg(feature = "supervise")]
            log_format: Text::new(),
            #[cfg(feature = "network")]
            bridge: Text::new(),
            #[cfg(feature = "network")]
            mtu: None,
            runtime: Text::new(),
        }
    }

    fn read_file(&mut self, command: &Command<'_>) -> io::Result<()> {
        let mut fits = Ok(());
        configuration(command, &mut |key, value| {
            fits = fits.and(self.take(key, value));
        })?;
        fits.map_err(|TooLong| Errno::NAMETOOLONG)
    }

    /// Whether the daemon's bridge is one that a launch makes.
    #[cfg(feature = "modprobe")]
    pub(crate) fn has_own_bridge(&self) -> bool {
        #[cfg(feature = "network")]
        return !self.bridge.as_bytes().is_empty();
        #[cfg(not(feature = "network"))]
        return false;
    }

    /// Takes a value of daemon.json.
    fn take(&mut self, key: &[u8], value: Result<&[u8], TooLong>) -> Result<(), TooLong> {
        let key = match split_once(key, b'.') {
            (above, Some(switch)) if flags::is_switch(switch) && !MAPS.contains(&above) => switch,
            _ => key,
        };
        let place = match key {
            b"pidfile" => &mut self.pid_file,
            b"exec-root" => &mut self.exec_root,
            b"data-root" | b"graph" => &mut self.data_root,
            b"hosts" => {
                let before = self.inherits_listener && value != Ok(LIST);
                self.inherits_listener = before || value.is_ok_and(is_inherited);
                return Ok(());
            }
            _ => {
                let value = value.unwrap_or(b"/longer than any path");
                self.take_value(key, value);
                self.choices = options::with_key(self.choices, key, value);
                return Ok(());
            }
        };
        place.set(&[value?])
    }

    /// Takes a value that is no path, of daemon.json or of a flag.
    fn take_value(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"default-runtime" => self.runtime = name(value),
            #[cfg(feature = "supervise")]
            b"log-level" => self.log_level = name(value),
            #[cfg(feature = "supervise")]
            b"log-format" => self.log_format = name(value),
            #[cfg(feature = "network")]
            b"bridge" => self.bridge = name(value),
            #[cfg(feature = "network")]
            b"mtu" => {
                let mtu = number(value).and_then(|mtu| u32::try_from(mtu).ok());
                self.mtu = mtu.filter(|mtu| *mtu > 0);
            }
            _ => {}
        }
    }

    fn read_flags(&mut self, command: &Command<'_>) -> io::Result<()> {
        let mut given = false;
        for (flag, value) in flags(command) {
            let place = match flag {
                "pidfile" => &mut self.pid_file,
                "exec-root" => &mut self.exec_root,
                "data-root" => {
                    given = true;
                    &mut self.data_root
                }
                "graph" if given => continue,
                "graph" => &mut self.data_root,
                "host" => {
                    self.inherits_listener |= is_inherited(value);
                    continue;
                }
                _ => {
                    self.take_value(flag.as_bytes(), value);
                    self.choices = options::with_flag(self.choices, flag, value);
                    continue;
                }
            };
            place.set(&[value]).map_err(|TooLong| Errno::NAMETOOLONG)?;
        }
        // dockerd prefers this variable to the flag.
        #[cfg(feature = "check")]
        if let Some(driver @ [_, ..]) = command.variable(b"DOCKER_DRIVER") {
            self.choices = options::with_flag(self.choices, "storage-driver", driver);
        }
        for (place, default) in &mut [
            (&mut self.pid_file, &b"/var/run/docker.pid"[..]),
            (&mut self.exec_root, b"/var/run/docker"),
            (&mut self.data_root, b"/var/lib/docker"),
        ] {
            if place.as_bytes().is_empty() {
                let _ = place.set(&[default]); // it fits
            }
        }
        if self.choices & OTHER_RUNTIME != 0 && !brings_shim(command, self.runtime.as_bytes()) {
            self.choices &= !OTHER_RUNTIME;
        }
        Ok(())
    }
}

/// Whether an address means a socket that the daemon inherits. dockerd trims white space.
fn is_inherited(host: &[u8]) -> bool {
    // Go counts the vertical tab as white space.
    let blank = |byte: &u8| *byte == b'\x0b' || byte.is_ascii_whitespace();
    let start = host.iter().position(|byte| !blank(byte)).unwrap_or(0);
    host.get(start..)
        .is_some_and(|host| host.starts_with(b"fd://"))
}

/// A long one is a path, or refused by the kernel: its beginning is enough.
fn name(value: &[u8]) -> Text<NAME> {
    let value = value.get(..NAME - 1).unwrap_or(value);
    Text::of(&[value]).unwrap_or(Text::new())
}

/// Whether a runtime has its own shim: daemon.json gives it a `runtimeType`, or it is the name or the path of a shim (moby,
/// daemon/runtime_unix.go). runc's shim runs a runtime with only a `path`.
fn brings_shim(command: &Command<'_>, runtime: &[u8]) -> bool {
    let dots = runtime.iter().filter(|byte| **byte == b'.').count();
    let mut brings = runtime.starts_with(b"/") || dots > 1;
    let mut field = |key: &[u8], value: Result<&[u8], TooLong>| {
        let field = key.strip_prefix(b"runtimes.");
        let field = field.and_then(|key| key.strip_prefix(runtime));
        // Go matches the fields of a struct in any case.
        if field.is_some_and(|field| field.eq_ignore_ascii_case(b".runtimeType")) {
            brings = !value.is_ok_and(|value| SHIMS_OF_RUNC.contains(&value));
        }
    };
    let read = configuration(command, &mut field);
    read.is_ok() && brings
}

/// The daemon's flags and their values.
fn flags<'c>(command: &Command<'c>) -> impl Iterator<Item = (&'static str, &'c [u8])> + use<'c> {
    Flags::of(command.arguments().skip(1).map(CStr::to_bytes))
}

/// The value of a flag; the last of several.
pub(crate) fn flag<'c>(command: &Command<'c>, name: &str) -> Option<&'c [u8]> {
    let named = flags(command).filter(|(flag, _)| *flag == name);
    named.last().map(|(_, value)| value)
}

/// The path of daemon.json, or of the file that --config-file names.
pub(crate) fn file<'c>(command: &Command<'c>) -> &'c [u8] {
    flag(command, CONFIG_FILE).unwrap_or(b"/etc/docker/daemon.json")
}

/// Calls `each` with every key and value of daemon.json, if it exists.
fn configuration(command: &Command<'_>, each: &mut Found<'_>) -> io::Result<()> {
    let file = fs::path(&[file(command)]);
    let mut scanner = Scanner::new();
    let read = fs::bytes(file.as_c_str(), &mut |byte| scanner.feed(byte, each));
    read.if_exists().map(|_| ())
}

#[cfg(test)]
mod tests;
