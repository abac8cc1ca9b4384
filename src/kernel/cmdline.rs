//! Parses the kernel command line, /proc/cmdline, as the kernel does: next_arg() of lib/cmdline.c and parse_args() of
//! kernel/params.c. All code that reads it uses [`arguments`].
//!
//! White space separates arguments, except between double quotes. A quote at the beginning of an argument or of its value is
//! removed, and so is the one at its end. `--` ends the kernel's own arguments; init's follow, up to another `--`.

use crate::{error::Step, fs, log::Log};
use core::ffi::CStr;
use heapless::Vec;
use rustix::io::Result;

pub(crate) const FILE: &CStr = c"/proc/cmdline";

/// The longest argument that is read: twice the kernel's longest command line on x86_64.
const LONGEST: usize = 4096;

/// One argument, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    pub(crate) name: &'a [u8],
    /// After the `=`; an `=` as the first byte belongs to the name.
    pub(crate) value: Option<&'a [u8]>,
    /// It follows `--`.
    pub(crate) for_init: bool,
}

/// Calls `each` with every argument of a line of any length, and returns how many the kernel passes to init. An argument longer
/// than 4,096 bytes is logged and counted, but not passed to `each`.
pub(crate) fn arguments(log: Log, each: &mut dyn FnMut(&Argument<'_>)) -> Result<usize> {
    let mut reader = Reader::new();
    fs::bytes(FILE, &mut |byte| reader.take(byte, log, each))?;
    reader.end(log, each);
    Ok(reader.for_init)
}

/// How many arguments the kernel passes to init; all, with a warning, if the line cannot be read.
#[inline(never)] // keeps its stack out of the caller's frame
pub(crate) fn count_for_init(log: Log) -> usize {
    arguments(log, &mut |_| {}).unwrap_or_else(|errno| {
        fs::warn(log, Step::Usage, FILE, errno);
        usize::MAX
    })
}

/// PXELINUX appends the network card that it booted from to the end of the line, so possibly after `--`. network/ uses it
/// wherever it is; it is not passed to the daemon.
pub(crate) fn is_of_boot_loader(argument: &[u8]) -> bool {
    argument.starts_with(b"BOOTIF=")
}

/// The parser's state between two bytes.
struct Reader {
    /// The argument that is being read, with its quotes.
    argument: Vec<u8, LONGEST>,
    fits: bool,
    in_quote: bool,
    /// How many arguments were `--`.
    dashes: u8,
    for_init: usize,
}

impl Reader {
    const fn new() -> Self {
        Self {
            argument: Vec::new(),
            fits: true,
            in_quote: false,
            dashes: 0,
            for_init: 0,
        }
    }

    fn take(&mut self, byte: u8, log: Log, each: &mut dyn FnMut(&Argument<'_>)) {
        if is_space(byte) && !self.in_quote {
            self.end(log, each);
            return;
        }
        self.in_quote ^= byte == b'"';
        self.fits &= self.argument.push(byte).is_ok();
    }

    /// Ends the current argument, if there is one.
    fn end(&mut self, log: Log, each: &mut dyn FnMut(&Argument<'_>)) {
        if self.argument.is_empty() {
            return;
        }
        let mut argument = unquoted(&self.argument);
        argument.for_init = self.dashes > 0;
        if self.fits && argument.value.is_none() && argument.name == b"--" {
            self.dashes = self.dashes.saturating_add(1);
        } else if self.dashes < 2 {
            self.for_init += usize::from(argument.for_init);
            if self.fits {
                each(&argument);
            } else {
                let beginning = argument.name.get(..32).unwrap_or(argument.name);
                log.warning(
                    "{}... on the kernel command line is ignored: it is longer than 4,096 bytes",
                    &[beginning],
                );
            }
        }
        self.argument.clear();
        (self.fits, self.in_quote) = (true, false);
    }
}

/// The kernel's isspace(), which includes Latin-1's no-break space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0)
}

/// next_arg() for one argument.
fn unquoted(argument: &[u8]) -> Argument<'_> {
    let inner = argument.strip_prefix(b"\"");
    let mut quoted = inner.is_some();
    let inner = inner.unwrap_or(argument);
    // An `=` as the first byte belongs to the name.
    let equals = inner.iter().skip(1).position(|byte| *byte == b'=');
    let (mut name, mut value) = match equals {
        Some(place) => (
            inner.get(..=place).unwrap_or_default(),
            inner.get(place + 2..),
        ),
        None => (inner, None),
    };
    if let Some(rest) = value.and_then(|value| value.strip_prefix(b"\"")) {
        (value, quoted) = (Some(rest), true);
    }
    if quoted {
        let last = value.as_mut().unwrap_or(&mut name);
        *last = last.strip_suffix(b"\"").unwrap_or(last);
    }
    Argument {
        name,
        value,
        for_init: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use proptest::prelude::*;
    use std::{string::String, vec::Vec as List};

    /// Name, value, whether it is for init.
    type Found = (List<u8>, Option<List<u8>>, bool);

    /// The arguments of a line, and how many are for init.
    fn read(line: &[u8]) -> (List<Found>, usize) {
        let mut found = List::new();
        let mut each = |argument: &Argument<'_>| {
            let value = argument.value.map(<[u8]>::to_vec);
            found.push((argument.name.to_vec(), value, argument.for_init));
        };
        let log = Settings::default().as_log();
        let mut reader = Reader::new();
        for byte in line {
            reader.take(*byte, log, &mut each);
        }
        reader.end(log, &mut each);
        (found, reader.for_init)
    }

    fn one(line: &str) -> (String, Option<String>) {
        let text = |bytes: &List<u8>| String::from_utf8(bytes.clone()).unwrap();
        let (found, _) = read(line.as_bytes());
        let [(name, value, _)] = &found[..] else {
            panic!("{line}: {found:?}")
        };
        (text(name), value.as_ref().map(text))
    }

    #[test]
    fn d3_quotes_around_a_value_or_an_argument_are_removed() {
        for (line, name, value) in [
            (r#"root="LABEL=rootfs""#, "root", Some("LABEL=rootfs")),
            (r#""root=LABEL=rootfs""#, "root", Some("LABEL=rootfs")),
            (
                r#"root="PARTLABEL=Linux filesystem""#,
                "root",
                Some("PARTLABEL=Linux filesystem"),
            ),
            (
                r#"root=LABEL="my root""#,
                "root",
                Some(r#"LABEL="my root""#),
            ),
            (r#"root="LABEL=x"y"#, "root", Some(r#"LABEL=x"y"#)),
            (r#"root="LABEL=x y"#, "root", Some("LABEL=x y")),
            (r#""root="LABEL=x""#, "root", Some("LABEL=x")),
            (r#""a b""#, "a b", None),
            (r#"a=""#, "a", Some("")),
            (r#"a="""#, "a", Some("")),
            ("a=", "a", Some("")),
            ("=a", "=a", None),
            ("=a=b", "=a", Some("b")),
            (r#"""#, "", None),
        ] {
            assert_eq!(one(line), (name.into(), value.map(Into::into)), "{line}");
        }
    }

    #[test]
    fn d3_only_arguments_between_double_dashes_are_for_init() {
        for (line, count) in [
            ("root=/dev/vda splash init=/x", 0),
            ("init=/x -- dockerd --debug\n", 2),
            ("a=\"b -- c\" -- \"d e\" f", 2),
            // parse_args() stops at another `--`.
            ("splash -- a -- b", 1),
            ("-- a \"--\" b", 1),
            ("-- --=x b", 2),
            ("a --", 0),
            ("", 0),
            ("--\x0bb\u{a0}", 1),
        ] {
            // Encoded as Latin-1.
            let line: List<u8> = line.chars().map(|letter| letter as u8).collect();
            assert_eq!(read(&line).1, count, "{line:?}");
        }
    }

    #[test]
    fn d3_a_long_line_is_read_and_a_too_long_argument_skipped() {
        let long = "x".repeat(LONGEST + 1);
        let line = std::format!("{} {long} -- {long} root=b", "a=b ".repeat(9000));
        let (found, for_init) = read(line.as_bytes());
        assert_eq!((found.len(), for_init), (9001, 2));
        assert!(found[9000] == (b"root".into(), Some(b"b".into()), true));
    }

    /// next_arg() of lib/cmdline.c, translated from C with its indices. A NUL ends a name or value.
    fn next_arg(args: &[u8]) -> (List<u8>, Option<List<u8>>, &[u8]) {
        let quoted = args.first() == Some(&b'"');
        let args = if quoted { &args[1..] } else { args };
        let (mut in_quote, mut equals, mut i) = (quoted, 0, 0);
        while i < args.len() {
            if is_space(args[i]) && !in_quote {
                break;
            }
            if equals == 0 && args[i] == b'=' {
                equals = i;
            }
            if args[i] == b'"' {
                in_quote = !in_quote;
            }
            i += 1;
        }
        let mut text = [&args[..i], &[0, 0]].concat();
        let mut value = None;
        if equals > 0 {
            text[equals] = 0;
            let mut start = equals + 1;
            if text[start] == b'"' {
                start += 1;
                if text[i - 1] == b'"' {
                    text[i - 1] = 0;
                }
            }
            value = Some(start);
        }
        if quoted && i > 0 && text[i - 1] == b'"' {
            text[i - 1] = 0;
        }
        let from = |start: usize| -> List<u8> {
            let bytes = text[start..].iter();
            bytes.take_while(|byte| **byte != 0).copied().collect()
        };
        let rest = &args[i..];
        let skip = rest.iter().take_while(|byte| is_space(**byte)).count();
        (from(0), value.map(from), &rest[skip..])
    }

    proptest! {
        #[test]
        fn d3_any_line_is_parsed_as_next_arg_does(line in "[ab=\" \t\n-]{0,40}") {
            let mut rest = line.trim_start_matches([' ', '\t', '\n']).as_bytes();
            let (mut expected, mut dashes) = (List::new(), 0);
            while !rest.is_empty() && dashes < 2 {
                let (name, value, after) = next_arg(rest);
                rest = after;
                if name == b"--" && value.is_none() {
                    dashes += 1;
                } else {
                    expected.push((name, value, dashes > 0));
                }
            }
            let (found, for_init) = read(line.as_bytes());
            prop_assert_eq!(for_init, expected.iter().filter(|(_, _, for_init)| *for_init).count());
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_bytes_are_read(line: List<u8>) {
            let _ = read(&line);
        }
    }
}
