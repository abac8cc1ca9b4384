//! What the daemon's own flags and its daemon.json say about places that a launch must know. A flag wins.

use crate::{
    command::Command,
    fs::{self, PATH},
    json::Scanner,
    text::{Text, TooLong},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{Mode, OFlags, open},
    io::{self, Errno},
};

/// A flag of dockerd's that takes a value.
#[derive(Clone, Copy)]
struct Flag {
    long: &'static str,
    short: Option<u8>,
}

const CONFIG_FILE: Flag = Flag {
    long: "config-file",
    short: None,
};
const EXEC_ROOT: Flag = Flag {
    long: "exec-root",
    short: None,
};
const HOST: Flag = Flag {
    long: "host",
    short: Some(b'H'),
};
const DATA_ROOT: Flag = Flag {
    long: "data-root",
    short: Some(b'g'),
};
const PIDFILE: Flag = Flag {
    long: "pidfile",
    short: Some(b'p'),
};

/// Where the daemon keeps what a launch must care for.
pub(crate) struct Places {
    pub(crate) pid_file: Text<PATH>,
    /// Holds containerd/containerd.pid.
    pub(crate) exec_root: Text<PATH>,
    /// Images, containers and volumes.
    pub(crate) data_root: Text<PATH>,
    /// `-H fd://`: it serves a socket that it inherits.
    pub(crate) inherits_listener: bool,
}

impl Places {
    /// A daemon.json that is not there says nothing.
    ///
    /// # Errors
    /// daemon.json cannot be read, or a path in it is longer than any path.
    pub(crate) fn of(command: &Command<'_>) -> io::Result<Self> {
        let mut places = Self {
            pid_file: Text::new(),
            exec_root: Text::new(),
            data_root: Text::new(),
            inherits_listener: false,
        };
        let file = values(command, CONFIG_FILE)
            .last()
            .unwrap_or(b"/etc/docker/daemon.json");
        match open(
            fs::path(&[file])?.as_c_str(),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(json) => places.read(json.as_fd())?,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        for (place, flag, default) in [
            (&mut places.pid_file, PIDFILE, &b"/var/run/docker.pid"[..]),
            (&mut places.exec_root, EXEC_ROOT, b"/var/run/docker"),
            (&mut places.data_root, DATA_ROOT, b"/var/lib/docker"),
        ] {
            let unsaid = place.as_bytes().is_empty().then_some(default);
            if let Some(chosen) = values(command, flag).last().or(unsaid) {
                *place = fs::path(&[chosen])?;
            }
        }
        places.inherits_listener |= values(command, HOST).any(is_inherited);
        Ok(places)
    }

    fn read(&mut self, json: BorrowedFd<'_>) -> io::Result<()> {
        let (mut scanner, mut fits) = (Scanner::new(), Ok(()));
        let mut take = |key: &[u8], value: Result<&[u8], TooLong>| {
            match key {
                b"pidfile" => self.pid_file = Text::of(&[value?])?,
                b"exec-root" => self.exec_root = Text::of(&[value?])?,
                b"data-root" | b"graph" => self.data_root = Text::of(&[value?])?,
                b"hosts" => self.inherits_listener |= value.is_ok_and(is_inherited),
                _ => {}
            }
            Ok(())
        };
        fs::bytes(json, &mut |byte| {
            scanner.feed(byte, &mut |key, value| fits = fits.and(take(key, value)));
        })?;
        fits.map_err(|TooLong| Errno::NAMETOOLONG)
    }
}

/// A listening address that stands for descriptors from the one who starts the daemon.
fn is_inherited(host: &[u8]) -> bool {
    host.starts_with(b"fd://")
}

/// The one-letter flags of dockerd that take no value, so that another may follow in the same word.
const SWITCHES: &[u8] = b"Dhv";

/// The values that a daemon flag is given, in any spelling of pflag's: `--flag=x`, `--flag x`, `-f x`, `-fx`, `-Df x`.
fn values<'c>(command: &'c Command<'_>, flag: Flag) -> impl Iterator<Item = &'c [u8]> {
    let mut words = command.words().iter().skip(1).map(CStr::to_bytes);
    core::iter::from_fn(move || {
        loop {
            let value = match words.next()? {
                [b'-', b'-', word @ ..] => word
                    .strip_prefix(flag.long.as_bytes())
                    .filter(|value| value.is_empty() || value.starts_with(b"=")),
                [b'-', letters @ ..] => {
                    let last = letters.iter().position(|letter| !SWITCHES.contains(letter));
                    let letters = last
                        .and_then(|last| letters.get(last..))
                        .unwrap_or_default();
                    let (letter, value) = letters.split_first().unzip();
                    value.filter(|_| letter.copied() == flag.short)
                }
                _ => None,
            };
            match value {
                Some(b"") => return words.next(),
                Some([b'=', value @ ..] | value) => return Some(value),
                None => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{ffi::CString, vec::Vec};

    fn command(words: &[&'static CStr]) -> Command<'static> {
        Command::new(c"/bin/sh", words.iter().copied(), []).unwrap()
    }

    #[test]
    fn a_flag_is_read_in_all_its_spellings() {
        let hosts = [
            c"-H",
            c"fd://",
            c"--host=a",
            c"--host",
            c"b",
            c"-Hc",
            c"--hostage=d",
            c"-H=e",
            c"-DHf",
            c"-DvH",
            c"g",
            c"-lH",
            c"-",
        ];
        let command = command(&hosts);
        let values: Vec<_> = values(&command, HOST).collect();
        assert_eq!(values, [&b"fd://"[..], b"a", b"b", b"c", b"e", b"f", b"g"]);
    }

    #[test]
    fn a_flag_without_its_value_has_none() {
        assert_eq!(values(&command(&[c"-p"]), PIDFILE).count(), 0);
    }

    #[test]
    fn flags_win_over_daemon_json_and_that_over_defaults() {
        let path = std::env::temp_dir().join(std::format!("places-{}.json", std::process::id()));
        let json = r#"{"pidfile": "/a.pid", "exec-root": "/b", "hosts": ["fd://"]}"#;
        std::fs::write(&path, json).unwrap();
        let file = CString::new(path.to_str().unwrap()).unwrap();
        let file = file.as_c_str();
        let words = [c"--config-file", file, c"-p/c.pid"];
        let places = Places::of(&Command::new(c"/bin/sh", words, []).unwrap()).unwrap();
        assert_eq!(places.pid_file.as_bytes(), b"/c.pid");
        assert_eq!(places.exec_root.as_bytes(), b"/b");
        assert!(places.inherits_listener);
        std::fs::remove_file(path).unwrap();

        let places = Places::of(&command(&[c"--config-file=/none"])).unwrap();
        assert_eq!(places.pid_file.as_bytes(), b"/var/run/docker.pid");
        assert_eq!(places.exec_root.as_bytes(), b"/var/run/docker");
        assert!(!places.inherits_listener);
    }

    proptest! {
        #[test]
        fn any_words_are_read(words in proptest::collection::vec("-{0,2}[A-Za-z=]{0,6}", 0..8)) {
            let words: Vec<_> = words.into_iter().map(|word| CString::new(word).unwrap()).collect();
            let command = Command::new(c"/bin/sh", words.iter().map(CString::as_c_str), []).unwrap();
            for flag in [CONFIG_FILE, EXEC_ROOT, HOST, PIDFILE] {
                prop_assert!(values(&command, flag).count() <= words.len());
            }
        }

        #[test]
        fn a_value_is_read_as_it_was_given(value in "[^\0=]{1,30}") {
            let word = CString::new(std::format!("--pidfile={value}")).unwrap();
            let command = Command::new(c"/bin/sh", [word.as_c_str()], []).unwrap();
            prop_assert!(values(&command, PIDFILE).eq([value.as_bytes()]));
        }
    }
}
