//! The daemon's arguments, as its own reader takes them (spf13/pflag, flag.go): from left to right; the value of a flag stands
//! behind `=` or is the next argument, whatever it looks like; letters may stand together; `--` ends the flags.
//!
//! One difference remains. Which flags take a value is known only of those in the table: if another flag's value is the next
//! argument and looks like a flag of the table, it is taken for that.

use crate::text::split_once;

/// A flag of dockerd's that a launch asks for, or whose letter may stand before one.
struct Flag {
    long: &'static str,
    /// A blank where it has none: an argument `- ` is no flag of dockerd's.
    short: u8,
    /// On or off: it takes no next argument.
    is_switch: bool,
}

const NONE: u8 = b' ';

const fn value(long: &'static str, short: u8) -> Flag {
    Flag {
        long,
        short,
        is_switch: false,
    }
}

const fn switch(long: &'static str, short: u8) -> Flag {
    Flag {
        long,
        short,
        is_switch: true,
    }
}

const TABLE: &[Flag] = &[
    value("config-file", NONE),
    value("containerd", NONE),
    value("data-root", NONE),
    switch("debug", b'D'),
    value("default-runtime", NONE),
    value("exec-root", NONE),
    value("feature", NONE),
    #[cfg(feature = "iptables")]
    value("firewall-backend", NONE),
    // As data-root was spelled until Docker 17.05.
    value("graph", b'g'),
    value("group", b'G'),
    switch("help", b'h'),
    value("host", b'H'),
    value("init-path", NONE),
    #[cfg(feature = "iptables")]
    switch("ip6tables", NONE),
    #[cfg(feature = "iptables")]
    switch("iptables", NONE),
    value("log-level", b'l'),
    value("pidfile", b'p'),
    switch("restart", b'r'),
    value("storage-driver", b's'),
    switch("userland-proxy", NONE),
    value("userland-proxy-path", NONE),
    switch("version", b'v'),
    #[cfg(feature = "network")]
    value("bip", NONE),
    value("bridge", b'b'),
    #[cfg(feature = "network")]
    value("mtu", NONE),
];

/// The flags of the table among some arguments, by their long names, and their values.
pub(crate) struct Flags<'w, I> {
    words: I,
    /// Of an argument that is being read: what follows the letters that were read.
    letters: &'w [u8],
}

impl<'w, I: Iterator<Item = &'w [u8]>> Flags<'w, I> {
    pub(crate) fn of(words: I) -> Self {
        Self {
            words,
            letters: b"",
        }
    }
}

impl<'w, I: Iterator<Item = &'w [u8]>> Iterator for Flags<'w, I> {
    type Item = (&'static str, &'w [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((letter, rest)) = core::mem::take(&mut self.letters).split_first() {
                // Behind a letter that dockerd does not know it reads nothing.
                let Some(flag) = TABLE.iter().find(|flag| flag.short == *letter) else {
                    continue;
                };
                let value = match rest {
                    [b'=', value @ ..] if !value.is_empty() => value,
                    _ if flag.is_switch => {
                        self.letters = rest;
                        b"true"
                    }
                    [] => self.words.next()?,
                    value => value,
                };
                return Some((flag.long, value));
            }
            match self.words.next()? {
                b"--" => return None,
                [b'-', b'-', flag @ ..] => {
                    let (name, value) = split_once(flag, b'=');
                    let Some(flag) = TABLE.iter().find(|flag| flag.long.as_bytes() == name) else {
                        continue;
                    };
                    let value = match value {
                        Some(value) => value,
                        None if flag.is_switch => b"true",
                        None => self.words.next()?,
                    };
                    return Some((flag.long, value));
                }
                [b'-', letters @ ..] => self.letters = letters,
                _ => {}
            }
        }
    }
}

/// It is on or off.
pub(crate) fn is_switch(name: &[u8]) -> bool {
    let mut flags = TABLE.iter();
    flags.any(|flag| flag.is_switch && flag.long.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{string::String, vec::Vec};

    fn read(words: &[&str]) -> Vec<(&'static str, String)> {
        let flags = Flags::of(words.iter().map(|word| word.as_bytes()));
        let text = |value| String::from_utf8_lossy(value).into_owned();
        flags.map(|(name, value)| (name, text(value))).collect()
    }

    /// What pflag makes of each, by its own parseArgs.
    #[test]
    fn d7_odd_spellings_are_read_as_pflag_reads_them() {
        for (words, expected) in [
            (&["-H", "fd://"][..], &[("host", "fd://")][..]),
            (&["-Hfd://"], &[("host", "fd://")]),
            (&["-H=fd://"], &[("host", "fd://")]),
            (&["-H fd://"], &[("host", " fd://")]),
            (
                &["--host=a", "--host", "b"],
                &[("host", "a"), ("host", "b")],
            ),
            (&["--host="], &[("host", "")]),
            // The `=` of a letter alone is its value.
            (&["-H="], &[("host", "=")]),
            (&["-DH", "a"], &[("debug", "true"), ("host", "a")]),
            (&["-D=false"], &[("debug", "false")]),
            (
                &["-DvHa"],
                &[("debug", "true"), ("version", "true"), ("host", "a")],
            ),
            (&["-lH", "-D"], &[("log-level", "H"), ("debug", "true")]),
            (&["-G", "-D"], &[("group", "-D")]),
            (&["-xH", "a"], &[]),
            // A value is the next argument, whatever it looks like.
            (
                &["--data-root", "--userland-proxy=false"],
                &[("data-root", "--userland-proxy=false")],
            ),
            (&["-p", "--", "-D"], &[("pidfile", "--"), ("debug", "true")]),
            (&["-p"], &[]),
            (&["--pidfile"], &[]),
            (
                &["--userland-proxy", "false"],
                &[("userland-proxy", "true")],
            ),
            (
                &["--userland-proxy=0", "--userland-proxy"],
                &[("userland-proxy", "0"), ("userland-proxy", "true")],
            ),
            (&["--userland-proxy="], &[("userland-proxy", "")]),
            // What is no flag of the table.
            (
                &[
                    "--hostage=d",
                    "--hos=t",
                    "-",
                    "",
                    "host",
                    "---host=x",
                    "--=x",
                ],
                &[],
            ),
            (&["--label", "x", "-D"], &[("debug", "true")]),
            (&["--", "-H", "fd://"], &[]),
            (
                &["-D", "--", "--userland-proxy=false"],
                &[("debug", "true")],
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (*name, String::from(*value)))
                .collect();
            assert_eq!(read(words), expected, "{words:?}");
        }
    }

    #[test]
    fn no_letter_and_no_name_stands_twice() {
        for (place, flag) in TABLE.iter().enumerate() {
            for other in TABLE.iter().skip(place + 1) {
                assert_ne!(flag.long, other.long);
                assert!(flag.short == NONE || flag.short != other.short);
            }
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read(words in proptest::collection::vec("-{0,2}[A-Za-z= ]{0,6}", 0..8)) {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let letters: usize = words.iter().map(|word| word.len()).sum();
            prop_assert!(read(&words).len() <= letters);
        }

        #[test]
        fn a_value_is_read_as_it_was_given(value in "[^\0]{1,30}") {
            let word = std::format!("--pidfile={value}");
            prop_assert_eq!(read(&[&word]), [("pidfile", value)]);
        }
    }
}
