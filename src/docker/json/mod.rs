//! A reader for daemon.json that finds what Go's encoding/json finds: strings, numbers, booleans and arrays of strings at the
//! top, and values of nested objects under `key.inner` and `key.inner.third`. It reads a byte at a time, in fixed space: UTF-8,
//! or UTF-16 after a byte order mark, as dockerd accepts it. dockerd reports whether the file is valid.

use crate::text::{Text, TooLong};

/// Long enough for any key of dockerd's, with the name of a runtime in it; longer keys are skipped.
const KEY: usize = 160;
/// Long enough for any path.
const VALUE: usize = 4097;
/// Objects are read down to a runtime's fields: runtimes.NAME.path.
const DEEPEST: u32 = 3;

/// The value that marks the beginning of an array: if an array occurs twice, the last one counts.
pub(crate) const LIST: &[u8] = b"[";

/// Gets each key with its value; for an array first [`LIST`], then each string. `null` is skipped.
pub(crate) type Found<'f> = dyn FnMut(&[u8], Result<&[u8], TooLong>) + 'f;

/// The state of the reader between two bytes.
pub(crate) struct Scanner {
    encoding: Encoding,
    depth: u32,
    /// The depth of the outermost open array; 0 if none is open.
    list: u32,
    state: State,
    /// The next string is a key.
    at_key: bool,
    /// The keys down to the value, separated by dots, and where each depth ends in them.
    keys: Text<KEY>,
    ends: [usize; DEEPEST as usize],
    /// `TooLong` once it does not fit.
    value: Result<Text<VALUE>, TooLong>,
    /// The first half of a surrogate pair, until the second follows; 0 if there is none.
    half: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Before the first byte.
    Unknown,
    Utf8,
    /// Whether the high byte comes first; and the first byte of a unit, until the second follows.
    Utf16(bool, Option<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    /// In a string.
    Inside,
    /// After a backslash.
    Escaped,
    /// In the four digits of `\u`: how many were read, and their value.
    Unicode(u8, u32),
    /// In a number, true, false or null.
    Bare,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self {
            encoding: Encoding::Unknown,
            depth: 0,
            list: 0,
            state: State::Between,
            at_key: false,
            keys: Text::new(),
            ends: [0; DEEPEST as usize],
            value: Ok(Text::new()),
            half: 0,
        }
    }

    /// Reads the next byte, and calls `found(keys, value)` if it ends a value.
    pub(crate) fn feed(&mut self, byte: u8, found: &mut Found<'_>) {
        match (self.encoding, byte) {
            (Encoding::Utf8, _) => self.take(byte, found),
            // Half of U+FEFF, which is skipped once it is complete.
            (Encoding::Unknown, 0xfe | 0xff) => {
                self.encoding = Encoding::Utf16(byte == 0xfe, Some(byte));
            }
            (Encoding::Unknown, _) => {
                self.encoding = Encoding::Utf8;
                self.take(byte, found);
            }
            (Encoding::Utf16(order, None), _) => {
                self.encoding = Encoding::Utf16(order, Some(byte));
            }
            (Encoding::Utf16(high_first, Some(first)), _) => {
                self.encoding = Encoding::Utf16(high_first, None);
                let unit = if high_first {
                    [first, byte]
                } else {
                    [byte, first]
                };
                match u16::from_be_bytes(unit) {
                    0xfeff => {}
                    unit @ 0..0x80 => self.take(unit as u8, found),
                    unit => self.unit(unit.into()),
                }
            }
        }
    }

    fn take(&mut self, byte: u8, found: &mut Found<'_>) {
        match self.state {
            State::Inside => match byte {
                b'"' => {
                    self.keep(b"");
                    self.end(found);
                }
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
                    self.state = State::Inside;
                    self.unit(sum);
                }
            }
            State::Bare if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+') => {
                self.keep(&[byte])
            }
            State::Bare => {
                if self.value.as_ref().map(Text::as_bytes) == Ok(b"null") {
                    self.state = State::Between;
                } else {
                    self.end(found);
                }
                self.between(byte, found);
            }
            State::Between => self.between(byte, found),
        }
    }

    fn between(&mut self, byte: u8, found: &mut Found<'_>) {
        match byte {
            b'{' => {
                self.depth = self.depth.saturating_add(1);
                self.at_key = self.list == 0;
            }
            b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.at_key = false;
                if self.list == 0 {
                    self.list = self.depth;
                    if self.depth == 2 {
                        found(self.path(1), Ok(LIST));
                    }
                }
            }
            b'}' | b']' => {
                if self.list == self.depth {
                    self.list = 0;
                }
                self.depth = self.depth.saturating_sub(1);
                self.at_key = false;
            }
            b',' => self.at_key = self.list == 0,
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

    /// The keys down to `depth`.
    fn path(&self, depth: u32) -> &[u8] {
        let end = self.ends.get(depth.wrapping_sub(1) as usize);
        let keys = self.keys.as_bytes();
        keys.get(..end.copied().unwrap_or(0)).unwrap_or_default()
    }

    /// Handles a complete string or bare value.
    fn end(&mut self, found: &mut Found<'_>) {
        self.state = State::Between;
        let value = self
            .value
            .as_ref()
            .map(Text::as_bytes)
            .map_err(|TooLong| TooLong);
        if core::mem::take(&mut self.at_key) {
            let above = self.path(self.depth.wrapping_sub(1));
            let dot: &[u8] = if self.depth > 1 { b"." } else { b"" };
            let joined = value.and_then(|key| Text::of(&[above, dot, key]));
            // A key that does not fit is skipped; the keys beside it are not.
            let end = joined.map_or(0, |keys| keys.as_bytes().len());
            let keys = joined.or(Text::of(&[above])).unwrap_or(Text::new());
            if let Some(place) = self.ends.get_mut(self.depth.wrapping_sub(1) as usize) {
                (*place, self.keys) = (end, keys);
            }
        } else if self.list == 0 && (1..=DEEPEST).contains(&self.depth) {
            found(self.path(self.depth), value);
        } else if self.list == 2 && self.depth == 2 {
            found(self.path(1), value);
        }
    }

    fn resume(&mut self, letter: &[u8]) {
        self.state = State::Inside;
        self.keep(letter);
    }

    /// Adds a unit of UTF-16: half a surrogate pair without the other half becomes U+FFFD.
    fn unit(&mut self, unit: u32) {
        let half = core::mem::take(&mut self.half);
        let letter = match (half, unit) {
            (1.., 0xdc00..0xe000) => 0x1_0000 + ((half - 0xd800) << 10) + (unit - 0xdc00),
            _ => {
                if half != 0 {
                    self.keep("\u{fffd}".as_bytes());
                }
                if (0xd800..0xdc00).contains(&unit) {
                    self.half = unit;
                    return;
                }
                unit
            }
        };
        let mut utf8 = [0; 4];
        let letter = char::from_u32(letter).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.keep(letter.encode_utf8(&mut utf8).as_bytes());
    }

    fn keep(&mut self, bytes: &[u8]) {
        // The second half of the pair is missing.
        let lost: &[u8] = match core::mem::take(&mut self.half) {
            0 => b"",
            _ => "\u{fffd}".as_bytes(),
        };
        if let Ok(value) = &mut self.value
            && [lost, bytes].iter().any(|bytes| value.push(bytes).is_err())
        {
            self.value = Err(TooLong);
        }
    }
}

#[cfg(test)]
mod tests;
