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

const DAEMON_JSON: &[u8] = b"/etc/docker/daemon.json";

/// Where the daemon keeps what a launch must care for.
pub(crate) struct Places {
    pub(crate) pid_file: Text<PATH>,
    /// Holds containerd/containerd.pid.
    pub(crate) exec_root: Text<PATH>,
    /// `-H fd://`: it serves a socket that it inherits.
    pub(crate) inherits_listener: bool,
}

impl Places {
    /// A daemon.json that is not there says nothing.
    ///
    /// # Errors
    /// daemon.json cannot be read, or a path in it is longer than any path.
    pub(crate) fn of(command: &Command<'_>) -> io::Result<Self> {
        let (pid_file, exec_root) = (Text::new(), Text::new());
        let mut places = Self {
            pid_file,
            exec_root,
            inherits_listener: false,
        };
        let file = flag(command, &["--config-file"])
            .last()
            .unwrap_or(DAEMON_JSON);
        match open(
            fs::path(&[file])?.as_c_str(),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(json) => places.read(json.as_fd())?,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        for (place, names, default) in [
            (
                &mut places.pid_file,
                &["--pidfile", "-p"][..],
                &b"/var/run/docker.pid"[..],
            ),
            (&mut places.exec_root, &["--exec-root"], b"/var/run/docker"),
        ] {
            let unsaid = place.as_bytes().is_empty().then_some(default);
            if let Some(chosen) = flag(command, names).last().or(unsaid) {
                *place = fs::path(&[chosen])?;
            }
        }
        places.inherits_listener |= flag(command, &["--host", "-H"]).any(is_inherited);
        Ok(places)
    }

    fn read(&mut self, json: BorrowedFd<'_>) -> io::Result<()> {
        let (mut scanner, mut fits) = (Scanner::new(), Ok(()));
        fs::bytes(json, &mut |byte| {
            fits = fits.and(scanner.feed(byte, &mut |key, value| match key {
                b"pidfile" => self.pid_file = Text::of(&[value]).unwrap_or(Text::new()),
                b"exec-root" => self.exec_root = Text::of(&[value]).unwrap_or(Text::new()),
                b"hosts" => self.inherits_listener |= is_inherited(value),
                _ => {}
            }));
        })?;
        fits.map_err(|TooLong| Errno::NAMETOOLONG)
    }
}

/// A listening address that stands for descriptors from the one who starts the daemon.
fn is_inherited(host: &[u8]) -> bool {
    host.starts_with(b"fd://")
}

/// The values that a daemon flag is given, in any of its spellings: `--flag=x`, `--flag x`, `-f x`, `-fx`.
fn flag<'c>(command: &'c Command<'_>, names: &'c [&'c str]) -> impl Iterator<Item = &'c [u8]> {
    let mut words = command.words().iter().skip(1).map(CStr::to_bytes);
    core::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            for name in names {
                match word.strip_prefix(name.as_bytes()) {
                    Some(b"") => return words.next(),
                    Some([b'=', value @ ..]) => return Some(value),
                    Some(value) if !name.starts_with("--") => return Some(value),
                    _ => {}
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ];
        let command = command(&hosts);
        let values: Vec<_> = flag(&command, &["--host", "-H"]).collect();
        assert_eq!(values, [&b"fd://"[..], b"a", b"b", b"c", b"e"]);
    }

    #[test]
    fn a_flag_without_its_value_has_none() {
        assert_eq!(flag(&command(&[c"-p"]), &["--pidfile", "-p"]).count(), 0);
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
}
