//! The containerd beside dockerd, as dockerd itself would start it: where its files are, its configuration, and when PID 1
//! leaves it to dockerd.
//!
//! Sources: moby, libcontainerd/supervisor and cmd/dockerd (initializeContainerd). All paths stay where dockerd has them, so a
//! data root keeps its containers whoever starts containerd.

use crate::{
    docker::{
        config::Config,
        options::{CRI, DEBUG, EMBEDDED_CONTAINERD, OTHER_CONTAINERD},
    },
    text::{Text, TooLong},
};
use core::ffi::CStr;

/// dockerd uses the containerd that has this socket, and starts none.
pub(crate) const OF_SYSTEM: &CStr = c"/run/containerd/containerd.sock";

/// The name of the configuration.
pub(crate) const FILE: &CStr = c"containerd.toml";

/// The longest path of a socket, with its end (unix(7)).
const SOCKET: usize = 108;
/// Of the arguments `--config` and `--containerd=`.
pub(crate) type Argument = Text<{ SOCKET + 16 }>;
/// Enough for a long data root.
const TOML: usize = 6 * 1024;

/// A line of containerd.toml: what is before the value, and the value. dockerd writes the same values; the lines that it writes
/// besides have containerd's defaults, which a test compares for each engine.
struct Line {
    key: &'static str,
    value: Value,
}

enum Value {
    /// As it stands.
    Plain(&'static str),
    /// A path in the data root, or in the exec root, with what is appended to it.
    Data(&'static str),
    Exec(&'static str),
    /// `debug` with `--debug`, else the value of `--log-level`.
    Level,
    /// The value of `--log-format`.
    Format,
}
use Value::{Data, Exec, Format, Level, Plain};

const TABLE: &[Line] = &[
    Line {
        key: "version = ",
        value: Plain("2"),
    },
    Line {
        key: "root = ",
        value: Data("/containerd/daemon"),
    },
    Line {
        key: "state = ",
        value: Exec("/containerd/daemon"),
    },
    Line {
        key: "disabled_plugins = ",
        value: Plain("[\"io.containerd.grpc.v1.cri\"]"),
    },
    Line {
        key: "[grpc]\naddress = ",
        value: Exec("/containerd/containerd.sock"),
    },
    Line {
        key: "[debug]\naddress = ",
        value: Exec("/containerd/containerd-debug.sock"),
    },
    Line {
        key: "level = ",
        value: Level,
    },
    Line {
        key: "format = ",
        value: Format,
    },
];

/// Why dockerd must start its containerd itself, or use another one; `None` if PID 1 can.
pub(crate) fn obstacle(config: &Config) -> Option<&'static str> {
    let choices = config.choices;
    if choices & OTHER_CONTAINERD != 0 {
        return Some("the daemon is told to use another one");
    }
    if choices & EMBEDDED_CONTAINERD != 0 {
        return Some("dockerd contains it");
    }
    if choices & CRI != 0 {
        return Some("the daemon's --cri-containerd asks for another configuration");
    }
    let roots = [config.data_root.as_bytes(), config.exec_root.as_bytes()];
    let values = [config.log_level.as_bytes(), config.log_format.as_bytes()];
    if !roots.iter().all(|root| root.starts_with(b"/"))
        || roots.into_iter().chain(values).any(has_escapes)
    {
        return Some("a path is not absolute, or has characters that TOML escapes");
    }
    socket(config)
        .err()
        .map(|TooLong| "the path of its socket is too long")
}

fn has_escapes(value: &[u8]) -> bool {
    let mut bytes = value.iter();
    bytes.any(|byte| matches!(byte, b'"' | b'\\') || byte.is_ascii_control())
}

pub(crate) fn socket(config: &Config) -> Result<Text<SOCKET>, TooLong> {
    Text::of(&[config.exec_root.as_bytes(), b"/containerd/containerd.sock"])
}

/// The path of containerd.toml, in the exec root.
pub(crate) fn file(config: &Config) -> Argument {
    // As long as the path of the socket, which fits.
    Text::fitting(&[
        config.exec_root.as_bytes(),
        b"/containerd/",
        FILE.to_bytes(),
    ])
}

/// The configuration.
pub(crate) fn toml(config: &Config) -> Result<Text<TOML>, TooLong> {
    let mut toml = Text::new();
    for line in TABLE {
        let quoted = |value, more| [&b"\""[..], value, more, b"\"\n"];
        let value = match line.value {
            Plain(value) => [value.as_bytes(), b"", b"", b"\n"],
            Data(path) => quoted(config.data_root.as_bytes(), path.as_bytes()),
            Exec(path) => quoted(config.exec_root.as_bytes(), path.as_bytes()),
            Level if config.choices & DEBUG != 0 => quoted(b"debug", b""),
            Level => quoted(config.log_level.as_bytes(), b""),
            Format => quoted(config.log_format.as_bytes(), b""),
        };
        toml.push(line.key.as_bytes())?;
        toml.push_all(&value)?;
    }
    Ok(toml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        docker::command::Command,
        kernel::requests::blocked,
        launch::Launch,
        settings::{Role, Settings},
    };
    use std::{string::String, vec::Vec};

    fn config(arguments: &[&CStr]) -> Config {
        let none = [c"--config-file=/nonsense"];
        let arguments: Vec<&CStr> = none.iter().chain(arguments).copied().collect();
        let command = Command::new(c"/bin/sh", &arguments[..], &[]).unwrap();
        let settings = Settings::default();
        blocked(&settings, |before| {
            Config::read(
                &Launch::new((Role::Container, false), &settings, before),
                &command,
            )
            .unwrap()
        })
    }

    fn written(arguments: &[&CStr]) -> String {
        let toml = toml(&config(arguments)).unwrap();
        String::from_utf8(toml.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn paths_level_and_format_are_the_daemons() {
        let expected = "version = 2\n\
            root = \"/data/containerd/daemon\"\n\
            state = \"/exec/containerd/daemon\"\n\
            disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
            [grpc]\naddress = \"/exec/containerd/containerd.sock\"\n\
            [debug]\naddress = \"/exec/containerd/containerd-debug.sock\"\n\
            level = \"warn\"\nformat = \"json\"\n";
        let roots = [c"--data-root=/data", c"--exec-root", c"/exec"];
        let log = [c"-lwarn", c"--log-format=json"];
        assert_eq!(written(&[&roots[..], &log].concat()), expected);
        assert!(written(&[c"-D", c"-l", c"warn"]).contains("\nlevel = \"debug\"\n"));
        assert!(written(&[]).contains("\nroot = \"/var/lib/docker/containerd/daemon\"\n"));
    }

    #[test]
    fn what_only_dockerd_can_start_is_left_to_it() {
        let long = c"--exec-root=/a/path/of/more/than/a/hundred/bytes/as/a/socket/cannot/have/one/of/one/hundred/and/eight/and/more/bytes";
        for (argument, is_left) in [
            (c"-D", false),
            (c"--containerd=", false),
            (c"--containerd=/x", true),
            (c"--feature=embedded-containerd", true),
            (c"--cri-containerd", true),
            (c"--data-root=relative", true),
            (c"--data-root=/a\"b", true),
            (c"--exec-root=/a\\b", true),
            (c"--exec-root=/\xc3\xa4", false),
            (long, true),
        ] {
            let config = config(&[argument]);
            assert_eq!(obstacle(&config).is_some(), is_left, "{argument:?}");
        }
    }
}
