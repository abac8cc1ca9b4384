//! The console as lines, each with the time of its arrival.
//!
//! The firmware and the kernel share the port, and the firmware sends terminal commands: a line is kept without them, while the
//! file below target/ has every byte.

use std::time::Instant;

/// How a line of dockerlaunch begins.
pub const SPEAKER: &str = "dockerlaunch: ";

/// One line of the console.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

#[derive(Default)]
pub(super) struct Console {
    pub(super) lines: Vec<Line>,
    /// What came after the last end of a line.
    pending: Vec<u8>,
}

impl Console {
    pub(super) fn push(&mut self, bytes: &[u8], at: Instant) {
        for &byte in bytes {
            if byte == b'\n' {
                let text = plain(&self.pending);
                self.pending.clear();
                self.lines.push(Line { at, text });
            } else {
                self.pending.push(byte);
            }
        }
    }

    /// When the kernel's banner, its first line, came.
    pub(super) fn kernel_start(&self) -> Option<Instant> {
        self.lines
            .iter()
            .find(|line| line.text.contains("Linux version "))
            .map(|line| line.at)
    }

    /// The last `count` lines, and the unfinished one after them.
    pub(super) fn end(&self, count: usize) -> String {
        let first = self.lines.len().saturating_sub(count);
        let mut end: Vec<String> = self.lines[first..]
            .iter()
            .map(|line| line.text.clone())
            .collect();
        if !self.pending.is_empty() {
            end.push(plain(&self.pending));
        }
        end.join("\n")
    }
}

/// Text without carriage returns and without the terminal's `ESC [ … letter` commands.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next() == Some('[') {
                    characters.by_ref().find(|c| c.is_ascii_alphabetic());
                }
            }
            '\r' => {}
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_pieces_and_lose_terminal_commands() {
        let mut console = Console::default();
        let now = Instant::now();
        console.push(b"\x1b[2J\x1b[01;01HSea", now);
        console.push(b"BIOS\r\n[    0.0", now);
        assert_eq!(console.lines.len(), 1);
        assert_eq!(console.lines[0].text, "SeaBIOS");
        assert_eq!(console.kernel_start(), None);
        console.push(b"00000] Linux version 6.12\n", now);
        assert_eq!(console.kernel_start(), Some(now));
        console.push(b"half", now);
        assert_eq!(console.end(1), "[    0.000000] Linux version 6.12\nhalf");
    }
}
