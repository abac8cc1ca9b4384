//! The settings of a daemon.json that a launch must know: strings, numbers and words at the top of the object, those in an
//! object there under `key.inner`, and the strings of arrays there. A byte at a time, in fixed space; whether the file is
//! valid is dockerd's to say.

use crate::text::{Text, TooLong};

/// Long enough for any key that dockerd knows; a longer one is none of ours.
const KEY: usize = 64;
/// Long enough for any path.
const VALUE: usize = 4097;

/// Called with a key and its value.
pub(crate) type Found<'f> = dyn FnMut(&[u8], Result<&[u8], TooLong>) + 'f;

/// Reads bytes and remembers where it is.
pub(crate) struct Scanner {
    depth: u32,
    state: State,
    /// The next string is a key.
    at_key: bool,
    /// What is being read lies in an array at the top.
    in_list: bool,
    key: Text<KEY>,
    /// Of an object at the top.
    inner: Text<KEY>,
    /// Too long, as soon as it is.
    value: Result<Text<VALUE>, TooLong>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    /// In a string.
    Inside,
    /// Behind a backslash.
    Escaped,
    /// In the four digits of `\u`, so many seen, and their sum.
    Unicode(u8, u32),
    /// In a number, true, false or null.
    Bare,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self {
            depth: 0,
            state: State::Between,
            at_key: false,
            in_list: false,
            key: Text::new(),
            inner: Text::new(),
            value: Ok(Text::new()),
        }
    }

    /// Takes the next byte and calls `found(key, value)` if a value ends with it.
    pub(crate) fn feed(&mut self, byte: u8, found: &mut Found<'_>) {
        match self.state {
            State::Inside => match byte {
                b'"' => self.end(found),
                b'\\' => self.state = State::Escaped,
                _ => self.keep(&[byte]),
            },
            State::Escaped => match byte {
                b'u' => self.state = State::Unicode(0, 0),
                b'n' => self.resume(b"\n"),
                b't' => self.resume(b"\t"),
                b'b' => self.resume(b"\x08"),
                b'f' => self.resume(b"\x0c"),
                b'r' => self.resume(b"\r"),
                other => self.resume(&[other]),
            },
            State::Unicode(seen, sum) => {
                let sum = sum << 4 | char::from(byte).to_digit(16).unwrap_or(0);
                if seen < 3 {
                    self.state = State::Unicode(seen + 1, sum);
                } else {
                    let mut utf8 = [0; 4];
                    let letter = char::from_u32(sum).unwrap_or(char::REPLACEMENT_CHARACTER);
                    self.resume(letter.encode_utf8(&mut utf8).as_bytes());
                }
            }
            State::Bare if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+') => {
                self.keep(&[byte])
            }
            State::Bare => {
                self.end(found);
                self.between(byte);
            }
            State::Between => self.between(byte),
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.at_key = byte == b'{';
                self.in_list = self.depth == 2 && byte == b'[';
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.in_list = false;
            }
            b',' => self.at_key = !self.in_list,
            b':' => {}
            b'"' => {
                self.value = Ok(Text::new());
                self.state = State::Inside;
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                self.value = Ok(Text::new());
                self.state = State::Bare;
                self.keep(&[byte]);
            }
        }
    }

    /// A string or a bare word is complete.
    fn end(&mut self, found: &mut Found<'_>) {
        self.state = State::Between;
        let value = self
            .value
            .as_ref()
            .map(Text::as_bytes)
            .map_err(|TooLong| TooLong);
        let is_key = core::mem::take(&mut self.at_key) && !self.in_list;
        // A key that does not fit is none of ours.
        match (self.depth, is_key) {
            (1, true) => self.key = joined(&[value]),
            (2, true) => self.inner = joined(&[Ok(self.key.as_bytes()), Ok(b"."), value]),
            (1, false) => found(self.key.as_bytes(), value),
            (2, false) if self.in_list => found(self.key.as_bytes(), value),
            (2, false) => found(self.inner.as_bytes(), value),
            _ => {}
        }
    }

    fn resume(&mut self, letter: &[u8]) {
        self.state = State::Inside;
        self.keep(letter);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Ok(value) = &mut self.value
            && value.push(bytes).is_err()
        {
            self.value = Err(TooLong);
        }
    }
}

/// The parts one after another; nothing where they are too long.
fn joined(parts: &[Result<&[u8], TooLong>]) -> Text<KEY> {
    let mut key = Text::new();
    for part in parts {
        if part.and_then(|part| key.push(part)).is_err() {
            return Text::new();
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{string::String, vec::Vec};

    fn scan(json: &[u8]) -> Result<Vec<(String, String)>, TooLong> {
        let (mut found, mut scanner) = (Vec::new(), Scanner::new());
        for byte in json {
            scanner.feed(*byte, &mut |key, value| {
                let value = value.map(|value| String::from_utf8_lossy(value).into());
                found.push(value.map(|value| (String::from_utf8_lossy(key).into(), value)));
            });
        }
        found.into_iter().collect()
    }

    #[test]
    fn only_the_top_and_its_objects_count() {
        let json = br#"{ "data-root" : "/srv/\"d\"\u00e9", "hosts": ["fd://", "tcp://[::]:1"], "iptables":false,
            "log-opts": {"tag": "x", "deep": ["no", {"a": "no"}], "b": true}, "runtimes": {"a": {"path": "no"}}, "n": 12}"#;
        let expected = [
            ("data-root", "/srv/\"d\"é"),
            ("hosts", "fd://"),
            ("hosts", "tcp://[::]:1"),
            ("iptables", "false"),
            ("log-opts.tag", "x"),
            ("log-opts.b", "true"),
            ("n", "12"),
        ];
        let found = scan(json).unwrap();
        assert_eq!(
            found
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn too_long_a_value_is_an_error_and_not_a_cut() {
        let path = "x".repeat(VALUE);
        assert_eq!(
            scan(std::format!("{{\"pidfile\":\"{path}\"}}").as_bytes()),
            Err(TooLong)
        );
        assert!(
            scan(std::format!("{{\"a\":{{\"b\":{{\"c\":\"{path}\"}}}}}}").as_bytes())
                .unwrap()
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned(json: Vec<u8>) {
            let _ = scan(&json);
        }

        #[test]
        fn strings_are_those_of_serde(key in "[a-z-]{1,40}", value in "\\PC{0,60}") {
            let outer = serde_json::json!({ key.clone(): value.clone(), "O": { key.clone(): value.clone() } });
            let mut found = scan(&serde_json::to_vec(&outer).unwrap()).unwrap();
            found.sort();
            let mut expected = [(key.clone(), value.clone()), (std::format!("O.{key}"), value)];
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
