//! The daemon's flags, read as dockerd reads them (spf13/pflag, flag.go): from left to right; a flag's value follows `=` or is
//! the next argument, whatever it looks like; several letters may share one dash; `--` ends the flags.
//!
//! One difference: only the flags of the table are known to take a value. If the value of another flag is the next argument
//! and looks like a flag of the table, it is read as that flag.

use crate::text::split_once;

/// A flag that a launch needs to know, or whose letter may precede one in the same argument.
struct Flag {
    long: &'static str,
    /// A blank if it has no letter: dockerd has no flag `- `.
    short: u8,
    /// A boolean: its value is never the next argument.
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
    #[cfg(feature = "supervise")]
    switch("cri-containerd", NONE),
    value("data-root", NONE),
    switch("debug", b'D'),
    value("default-runtime", NONE),
    value("exec-root", NONE),
    value("feature", NONE),
    #[cfg(feature = "iptables")]
    value("firewall-backend", NONE),
    // The name of data-root until Docker 17.05.
    value("graph", b'g'),
    value("group", b'G'),
    switch("help", b'h'),
    value("host", b'H'),
    value("init-path", NONE),
    #[cfg(feature = "iptables")]
    switch("ip6tables", NONE),
    #[cfg(feature = "iptables")]
    switch("iptables", NONE),
    #[cfg(feature = "supervise")]
    value("log-format", NONE),
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

/// The flags of the table in some arguments, by their long names, with their values.
pub(crate) struct Flags<'w, I> {
    arguments: I,
    /// The letters of the current argument that are not read yet.
    letters: &'w [u8],
}

impl<'w, I: Iterator<Item = &'w [u8]>> Flags<'w, I> {
    pub(crate) fn of(arguments: I) -> Self {
        Self {
            arguments,
            letters: b"",
        }
    }
}

impl<'w, I: Iterator<Item = &'w [u8]>> Iterator for Flags<'w, I> {
    type Item = (&'static str, &'w [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((letter, rest)) = core::mem::take(&mut self.letters).split_first() {
                // pflag stops at a letter that it does not know.
                let Some(flag) = TABLE.iter().find(|flag| flag.short == *letter) else {
                    continue;
                };
                let value = match rest {
                    [b'=', value @ ..] if !value.is_empty() => value,
                    _ if flag.is_switch => {
                        self.letters = rest;
                        b"true"
                    }
                    [] => self.arguments.next()?,
                    value => value,
                };
                return Some((flag.long, value));
            }
            match self.arguments.next()? {
                b"--" => return None,
                [b'-', b'-', flag @ ..] => {
                    let (name, value) = split_once(flag, b'=');
                    let Some(flag) = TABLE.iter().find(|flag| flag.long.as_bytes() == name) else {
                        continue;
                    };
                    let value = match value {
                        Some(value) => value,
                        None if flag.is_switch => b"true",
                        None => self.arguments.next()?,
                    };
                    return Some((flag.long, value));
                }
                [b'-', letters @ ..] => self.letters = letters,
                _ => {}
            }
        }
    }
}

/// Whether the flag is a boolean.
pub(crate) fn is_switch(name: &[u8]) -> bool {
    let mut flags = TABLE.iter();
    flags.any(|flag| flag.is_switch && flag.long.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{string::String, vec::Vec};

    fn read(arguments: &[&str]) -> Vec<(&'static str, String)> {
        let flags = Flags::of(arguments.iter().map(|argument| argument.as_bytes()));
        let text = |value| String::from_utf8_lossy(value).into_owned();
        flags.map(|(name, value)| (name, text(value))).collect()
    }

    /// Expected values are those of pflag's own parseArgs.
    #[test]
    fn d7_odd_spellings_are_read_as_pflag_reads_them() {
        for (arguments, expected) in [
            (&["-H", "fd://"][..], &[("host", "fd://")][..]),
            (&["-Hfd://"], &[("host", "fd://")]),
            (&["-H=fd://"], &[("host", "fd://")]),
            (&["-H fd://"], &[("host", " fd://")]),
            (
                &["--host=a", "--host", "b"],
                &[("host", "a"), ("host", "b")],
            ),
            (&["--host="], &[("host", "")]),
            // With nothing after it, `=` is the value of a letter.
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
            // These are no flags of the table.
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
            assert_eq!(read(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn no_letter_and_no_name_occurs_twice() {
        for (place, flag) in TABLE.iter().enumerate() {
            for other in TABLE.iter().skip(place + 1) {
                assert_ne!(flag.long, other.long);
                assert!(flag.short == NONE || flag.short != other.short);
            }
        }
    }

    proptest! {
        #[test]
        fn any_arguments_are_read(arguments in proptest::collection::vec("-{0,2}[A-Za-z= ]{0,6}", 0..8)) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let letters: usize = arguments.iter().map(|argument| argument.len()).sum();
            prop_assert!(read(&arguments).len() <= letters);
        }

        #[test]
        fn a_value_is_read_as_it_was_given(value in "[^\0]{1,30}") {
            let argument = std::format!("--pidfile={value}");
            prop_assert_eq!(read(&[&argument]), [("pidfile", value)]);
        }
    }
}
