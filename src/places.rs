//! What the daemon's own flags and its daemon.json say about places that a launch must know, where a flag wins; and the
//! choices there that make a program needless, or needed.

use crate::{
    choices::{CHOICES, Choices, chosen},
    command::Command,
    fs::{self, PATH, There},
    json::{Found, Scanner},
    text::{Text, TooLong},
};
use core::ffi::CStr;
use rustix::io::{self, Errno};

/// A flag of dockerd's.
#[derive(Clone, Copy)]
pub(crate) struct Flag {
    long: &'static str,
    short: Option<u8>,
    /// On or off; without `=` it is on.
    is_switch: bool,
}

impl Flag {
    const fn value(long: &'static str, short: Option<u8>) -> Self {
        Self {
            long,
            short,
            is_switch: false,
        }
    }

    /// The value that a word gives it, in any spelling of pflag's: `--flag=x`, `-fx`, `-Dfx`; empty where the value is the
    /// next word: `--flag x`, `-f x`. `None`: it is another word.
    fn given<'w>(&self, word: &'w [u8]) -> Option<&'w [u8]> {
        match word {
            [b'-', b'-', word @ ..] => word
                .strip_prefix(self.long.as_bytes())
                .filter(|value| value.is_empty() || value.starts_with(b"=")),
            [b'-', letters @ ..] => {
                let last = letters.iter().position(|letter| !SWITCHES.contains(letter));
                let letters = last.and_then(|last| letters.get(last..));
                let (letter, value) = letters.unwrap_or_default().split_first().unzip();
                value.filter(|_| letter.copied() == self.short)
            }
            _ => None,
        }
    }
}

const CONFIG_FILE: Flag = Flag::value("config-file", None);
const DATA_ROOT: Flag = Flag::value("data-root", Some(b'g'));
/// As it was spelled until Docker 17.05.
const GRAPH: Flag = Flag::value("graph", None);
const EXEC_ROOT: Flag = Flag::value("exec-root", None);
const HOST: Flag = Flag::value("host", Some(b'H'));
#[cfg(feature = "network")]
pub(crate) const BRIDGE: Flag = Flag::value("bridge", Some(b'b'));
#[cfg(feature = "network")]
pub(crate) const BIP: Flag = Flag::value("bip", None);
#[cfg(feature = "network")]
pub(crate) const MTU: Flag = Flag::value("mtu", None);
const PIDFILE: Flag = Flag::value("pidfile", Some(b'p'));

/// Where the daemon keeps what a launch must care for, and what was chosen.
pub(crate) struct Places {
    pub(crate) pid_file: Text<PATH>,
    /// Holds containerd/containerd.pid.
    pub(crate) exec_root: Text<PATH>,
    /// Images, containers and volumes lie there.
    pub(crate) data_root: Text<PATH>,
    /// `-H fd://`: it serves a socket that it inherits.
    pub(crate) inherits_listener: bool,
    pub(crate) choices: Choices,
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
            choices: 0,
        };
        let mut fits = Ok(());
        configuration(command, &mut |key, value| {
            fits = fits.and(places.take(key, value));
        })?;
        fits.map_err(|TooLong| Errno::NAMETOOLONG)?;
        if let Some(root) = values(command, GRAPH).last() {
            places.data_root = fs::path(&[root])?;
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
        for choice in CHOICES {
            let flag = Flag {
                long: choice.flag,
                short: None,
                is_switch: choice.is_switch,
            };
            if values(command, flag).any(|value| choice.made_by(value)) {
                places.choices |= choice.bit;
            }
        }
        Ok(places)
    }

    /// What daemon.json says.
    fn take(&mut self, key: &[u8], value: Result<&[u8], TooLong>) -> Result<(), TooLong> {
        match key {
            b"pidfile" => self.pid_file = Text::of(&[value?])?,
            b"exec-root" => self.exec_root = Text::of(&[value?])?,
            b"data-root" | b"graph" => self.data_root = Text::of(&[value?])?,
            b"hosts" => self.inherits_listener |= value.is_ok_and(is_inherited),
            _ => self.choices |= chosen(key, value.unwrap_or(b"longer than any path")),
        }
        Ok(())
    }
}

/// A listening address that stands for descriptors from the one who starts the daemon.
fn is_inherited(host: &[u8]) -> bool {
    host.starts_with(b"fd://")
}

/// The one-letter flags of dockerd that take no value, so that another may follow in the same word.
const SWITCHES: &[u8] = b"Dhv";

/// The values that a daemon flag is given. A switch takes no next word.
pub(crate) fn values<'c>(command: &'c Command<'_>, flag: Flag) -> impl Iterator<Item = &'c [u8]> {
    let mut words = command.words().skip(1).map(CStr::to_bytes);
    core::iter::from_fn(move || {
        loop {
            match flag.given(words.next()?) {
                Some(b"") if flag.is_switch => return Some(&b"true"[..]),
                Some(b"") => return words.next(),
                Some([b'=', value @ ..] | value) => return Some(value),
                None => {}
            }
        }
    })
}

/// Calls `each` with what daemon.json says. One that is not there says nothing.
pub(crate) fn configuration(command: &Command<'_>, each: &mut Found<'_>) -> io::Result<()> {
    let file = values(command, CONFIG_FILE)
        .last()
        .unwrap_or(b"/etc/docker/daemon.json");
    let file = fs::path(&[file])?;
    let mut scanner = Scanner::new();
    let read = fs::bytes(file.as_c_str(), &mut |byte| scanner.feed(byte, each));
    read.there().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::*;
    use proptest::prelude::*;
    use std::{ffi::CString, vec::Vec};

    fn command<'a>(words: &'a [&'a CStr]) -> Command<'a> {
        Command::new(c"/bin/sh", words, &[]).unwrap()
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
    fn the_data_root_is_found_in_its_old_spellings() {
        for (words, root) in [
            (&[][..], &b"/var/lib/docker"[..]),
            (&[c"--data-root=/a"], b"/a"),
            (&[c"-g", c"/a"], b"/a"),
            (&[c"--graph", c"/a"], b"/a"),
            (&[c"--data-root=/a", c"--graph=/b"], b"/a"),
        ] {
            let words = [words, &[c"--config-file=/none"]].concat();
            let places = Places::of(&command(&words)).unwrap();
            assert_eq!(places.data_root.as_bytes(), root);
        }
    }

    #[test]
    fn choices_are_made_by_their_values_only() {
        for (word, choices) in [
            #[cfg(feature = "iptables")]
            (c"--iptables=false", NO_IPTABLES),
            #[cfg(feature = "iptables")]
            (c"--iptables=0", NO_IPTABLES),
            (c"--iptables", 0),
            (c"--iptables=true", 0),
            (c"--iptables=", 0),
            #[cfg(feature = "iptables")]
            (c"--ip6tables=f", NO_IP6TABLES),
            (c"--userland-proxy=FALSE", NO_PROXY),
            (c"--userland-proxy-path=/x", OTHER_PROXY),
            #[cfg(feature = "iptables")]
            (c"--firewall-backend=nftables", NFTABLES),
            (c"--firewall-backend=iptables", 0),
            (c"--init-path=/x", OTHER_INIT),
            (c"--containerd=/x", OTHER_CONTAINERD),
            (c"--containerd=", 0),
            (c"--feature=embedded-containerd", EMBEDDED_CONTAINERD),
            (c"--feature=embedded-containerd=false", 0),
            (c"--default-runtime=crun", OTHER_RUNTIME),
            (c"--default-runtime=runc", 0),
        ] {
            let words = [word, c"--config-file=/none"];
            assert_eq!(
                Places::of(&command(&words)).unwrap().choices,
                choices,
                "{word:?}"
            );
        }
        // pflag reads a switch's value behind `=` only.
        let words = [c"--userland-proxy", c"false", c"--config-file=/none"];
        assert_eq!(Places::of(&command(&words)).unwrap().choices, 0);
    }

    #[test]
    fn a_flag_without_its_value_has_none() {
        assert_eq!(values(&command(&[c"-p"]), PIDFILE).count(), 0);
    }

    #[test]
    fn flags_win_over_daemon_json_and_that_over_defaults() {
        let path = std::env::temp_dir().join(std::format!("places-{}.json", std::process::id()));
        let json = r#"{"pidfile": "/a.pid", "exec-root": "/b", "hosts": ["fd://"], "data-root": "/d",
            "features": {"embedded-containerd": true}, "userland-proxy": false}"#;
        std::fs::write(&path, json).unwrap();
        let file = CString::new(path.to_str().unwrap()).unwrap();
        let file = file.as_c_str();
        let words = [c"--config-file", file, c"-p/c.pid"];
        let places = Places::of(&command(&words)).unwrap();
        assert_eq!(places.pid_file.as_bytes(), b"/c.pid");
        assert_eq!(places.exec_root.as_bytes(), b"/b");
        assert_eq!(places.data_root.as_bytes(), b"/d");
        assert_eq!(places.choices, EMBEDDED_CONTAINERD | NO_PROXY);
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
            let words: Vec<_> = words.iter().map(CString::as_c_str).collect();
            let command = command(&words);
            for flag in [CONFIG_FILE, EXEC_ROOT, HOST, PIDFILE] {
                prop_assert!(values(&command, flag).count() <= words.len());
            }
        }

        #[test]
        fn a_value_is_read_as_it_was_given(value in "[^\0=]{1,30}") {
            let word = CString::new(std::format!("--pidfile={value}")).unwrap();
            let words = [word.as_c_str()];
            let command = command(&words);
            prop_assert!(values(&command, PIDFILE).eq([value.as_bytes()]));
        }
    }
}
