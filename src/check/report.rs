//! The two formats of the report: aligned text, and JSON with one object a line and the same contents.

use crate::{docker::needs::Need, fs, sys, text::Text};
use heapless::Vec;

/// The state of a thing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Found,
    /// It is required, so the exit status is 1.
    Missing,
    /// It is optional: Docker runs without a feature.
    Lacking,
    Needless,
    /// It cannot be found out here.
    Unknown,
}

impl State {
    pub(super) fn missing(need: Need) -> Self {
        match need {
            Need::Required => Self::Missing,
            Need::Optional => Self::Lacking,
            Need::Obsolete => Self::Needless,
        }
    }

    /// For the text, and for JSON, which has the need in a key of its own.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Found => ("found", "found"),
            Self::Missing => ("MISSING", "missing"),
            Self::Lacking => ("missing", "missing"),
            Self::Needless => ("not needed", "not needed"),
            Self::Unknown => ("unknown", "unknown"),
        }
    }
}

/// A thing that Docker needs or uses.
pub(super) struct Thing<'t> {
    pub(super) kind: &'static str,
    pub(super) name: &'t [u8],
    pub(super) state: State,
    /// Where or how it exists, why it is not needed, or what is wrong with it: the JSON key and the text.
    pub(super) detail: (&'static str, &'t [u8]),
    pub(super) need: Need,
    /// What Docker cannot do without it.
    pub(super) lost: &'static str,
    /// The engine's error message without it.
    pub(super) error: &'static str,
    /// What to install or set.
    pub(super) remedy: &'t [&'t [u8]],
}

/// Widths of the columns: state and name.
const STATE: usize = 12;
const NAME: usize = 25;

pub(super) struct Report {
    is_json: bool,
    /// Output that is not written yet.
    buffer: Vec<u8, 2048>,
    /// The length of the line so far, in bytes.
    column: usize,
    cannot_write: bool,
    /// The names of required things that are missing.
    missing: Text<1024>,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            buffer: Vec::new(),
            column: 0,
            cannot_write: false,
            missing: Text::new(),
        }
    }

    /// Writes a heading. JSON has a kind in each line instead.
    pub(super) fn title(&mut self, title: &str) {
        if !self.is_json {
            self.put(b"\n");
            self.put(title.as_bytes());
            self.put(b"\n");
        }
    }

    /// Writes something that the kernel offers, or lacks: then this feature of Docker fails, with this error.
    pub(super) fn offer(
        &mut self,
        kind: &'static str,
        name: &str,
        state: State,
        (key, detail): (&'static str, &str),
        (need, lost, error): (Need, &'static str, &'static str),
    ) {
        self.begin(&Thing {
            kind,
            name: name.as_bytes(),
            state,
            detail: (key, detail.as_bytes()),
            need,
            lost,
            error,
            remedy: &[],
        });
        self.end();
    }

    /// Begins a thing. Facts may be added before its end.
    pub(super) fn begin(&mut self, thing: &Thing<'_>) {
        let (key, detail) = thing.detail;
        let (word, json) = thing.state.names();
        if thing.state == State::Missing {
            self.remember(thing.name);
        }
        if self.is_json {
            self.put(b"{\"kind\":");
            self.quote(&[thing.kind.as_bytes()]);
            for (key, value) in &[
                ("name", thing.name),
                ("state", json.as_bytes()),
                (key, detail),
                ("need", thing.need.name().as_bytes()),
                ("lost", thing.lost.as_bytes()),
                ("error", thing.error.as_bytes()),
            ] {
                self.fact(key, &[*value]);
            }
            return;
        }
        self.column = 0;
        self.put(b"  ");
        self.put(word.as_bytes());
        self.fill(2 + STATE);
        self.plain(&[thing.name]);
        self.fill(2 + STATE + NAME);
        if !matches!(thing.state, State::Missing | State::Lacking) {
            return self.plain(&[detail]);
        }
        self.plain(&[detail, b": ", thing.lost.as_bytes()]);
        self.line(
            &[b"engine: ", thing.error.as_bytes()],
            thing.error.is_empty(),
        );
        self.line(thing.remedy, thing.remedy.is_empty());
    }

    /// Of a setting only the name is kept: the names of all settings fit.
    fn remember(&mut self, name: &[u8]) {
        let (name, _) = crate::text::split_once(name, b'=');
        if !self.missing.as_bytes().is_empty() {
            let _ = self.missing.push(b", ");
        }
        let _ = self.missing.push(name);
    }

    /// In the text only: a line below the detail.
    pub(super) fn line(&mut self, parts: &[&[u8]], is_empty: bool) {
        if !self.is_json && !is_empty {
            self.put(b"\n");
            self.column = 0;
            self.fill(2 + STATE + NAME);
            self.plain(parts);
        }
    }

    /// In JSON only: `,"key":"value"`.
    pub(super) fn fact(&mut self, key: &str, parts: &[&[u8]]) {
        if self.is_json {
            self.put(b",");
            self.quote(&[key.as_bytes()]);
            self.put(b":");
            self.quote(parts);
        }
    }

    pub(super) fn end(&mut self) {
        self.put(if self.is_json { b"}\n" } else { b"\n" });
    }

    /// Writes the verdict and returns the exit status.
    pub(super) fn verdict(mut self) -> u8 {
        let missing = self.missing;
        let complete = missing.as_bytes().is_empty();
        if self.is_json {
            let state = if complete { "found" } else { "missing" };
            self.put(b"{\"kind\":\"verdict\"");
            self.fact("state", &[state.as_bytes()]);
            self.fact("missing", &[missing.as_bytes()]);
            self.end();
        } else if complete {
            self.put(b"\nNothing that is required is missing.\n");
        } else {
            self.put(b"\nRequired, but missing or wrong: ");
            self.put(missing.as_bytes());
            self.put(b"\n");
        }
        self.flush();
        u8::from(!complete || self.cannot_write)
    }

    /// Writes a JSON string (RFC 8259); invalid UTF-8 becomes U+FFFD.
    fn quote(&mut self, parts: &[&[u8]]) {
        self.put(b"\"");
        for chunk in parts.iter().flat_map(|part| part.utf8_chunks()) {
            for byte in chunk.valid().bytes() {
                match byte {
                    b'"' | b'\\' => self.put(&[b'\\', byte]),
                    0..0x20 => self.put(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
                    _ => self.put(&[byte]),
                }
            }
            if !chunk.invalid().is_empty() {
                self.put("\u{fffd}".as_bytes());
            }
        }
        self.put(b"\"");
    }

    /// Control characters are replaced, so that foreign text cannot look like lines of the report.
    fn plain(&mut self, parts: &[&[u8]]) {
        for byte in parts.iter().copied().flatten() {
            self.put(&[if byte.is_ascii_control() { b'?' } else { *byte }]);
        }
    }

    /// Writes blanks up to a column, at least one.
    fn fill(&mut self, column: usize) {
        self.put(b" ");
        while self.column < column {
            self.put(b" ");
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.buffer.push(*byte).is_err() {
                self.flush();
                let _ = self.buffer.push(*byte);
            }
        }
        self.column += bytes.len();
    }

    fn flush(&mut self) {
        self.cannot_write |= fs::write_all(sys::inherited(1), &self.buffer).is_err();
        self.buffer.clear();
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..10 => b'0' + digit,
        _ => b'a' + digit - 10,
    }
}
