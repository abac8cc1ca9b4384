//! dockerlaunch's log. Each line is one write, so that lines of several processes do not mix and /dev/kmsg takes each line as
//! one record.
//!
//! No line may block PID 1 for long. A stopped console (^S) or a full pipe can take nothing for hours. So a line waits up to
//! [`PATIENCE`], then it is dropped, and the lines after it are tried without waiting. When the log takes lines again, the first
//! one says how many were dropped.
//!
//! O_NONBLOCK belongs to the open file description, which the daemon and the outer engine share, so it is never set there. A
//! terminal, FIFO or pipe is opened anew through /proc for each line; a socket takes a flag; a file does not block.

use crate::{
    sys,
    text::{Decimal, Text},
};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use heapless::Vec;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{FileType, Mode, OFlags, fstat, open},
    io::{Errno, Result, write},
    net::{SendFlags, send},
};

/// The longest line that is one write: /dev/kmsg takes it as one record, and a pipe with any room takes it whole. The rest of
/// a longer line is a second write.
const LINE: usize = 1000;

/// How long a line waits for the log, in milliseconds: a serial line of 9,600 baud sends a line in that time.
const PATIENCE: u64 = 1000;

/// How many lines were dropped since the log last took one. One number for the process: all its logs are the same file.
static DROPPED: AtomicU32 = AtomicU32::new(0);
/// The last write ended in the middle of a line.
static CUT: AtomicBool = AtomicBool::new(false);

/// Where lines are written, and whether debug lines are.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    pub(crate) descriptor: u32,
    pub(crate) debug: bool,
}

impl Log {
    /// Writes `dockerlaunch: ` and the template, with a value for each `{}` in it; more values follow at the end. A log that
    /// cannot be written is not an error.
    pub(crate) fn line(&self, template: &str, values: &[&[u8]]) {
        self.write(&[b"dockerlaunch: "], template, values);
    }

    /// Something optional failed, and the launch goes on.
    pub(crate) fn warning(&self, template: &str, values: &[&[u8]]) {
        self.write(&[b"dockerlaunch: warning: "], template, values);
    }

    /// Only with DOCKER_LAUNCH_DEBUG; the line begins with the time since the kernel started.
    pub(crate) fn debug(&self, template: &str, values: &[&[u8]]) {
        if self.debug {
            let time = Decimal::new(sys::since_boot());
            let before: &[&[u8]] = &[b"dockerlaunch: [", time.as_bytes(), b" ms] "];
            self.write(before, template, values);
        }
    }

    /// Reports how many lines were dropped, if the log takes that now. Returns when to try again, on the kernel's clock.
    #[inline(never)]
    pub(crate) fn catch_up(self) -> u64 {
        let dropped = DROPPED.load(Relaxed);
        if dropped == 0 {
            return u64::MAX;
        }
        let number = Decimal::new(dropped.into());
        let end_of_line: &[u8] = if CUT.load(Relaxed) { b"\n" } else { b"" };
        let were: &[u8] = if dropped == 1 {
            b" line was"
        } else {
            b" lines were"
        };
        let report = Text::<128>::of(&[
            end_of_line,
            b"dockerlaunch: warning: ",
            number.as_bytes(),
            were,
            b" dropped: the log was not read\n",
        ]);
        // It always fits.
        if let Ok(report) = report
            && self.put(report.as_bytes(), 0)
        {
            DROPPED.store(0, Relaxed);
            return u64::MAX;
        }
        sys::since_boot() + PATIENCE
    }

    fn write(self, before: &[&[u8]], template: &str, values: &[&[u8]]) {
        let mut line: Vec<u8, LINE> = Vec::new();
        let mut taken = self.catch_up() == u64::MAX;
        let mut deadline = 0;
        let mut end = |line: &mut Vec<u8, LINE>| {
            if deadline == 0 {
                deadline = sys::since_boot() + PATIENCE;
            }
            taken = taken && self.put(line, deadline);
            line.clear();
        };
        for byte in before
            .iter()
            .copied()
            .chain(filled(template, values))
            .flatten()
        {
            if line.is_full() {
                end(&mut line);
            }
            // Foreign text must not look like another line of ours.
            let byte = if byte.is_ascii_control() { b'?' } else { *byte };
            line.extend(core::iter::once(byte));
        }
        if line.is_full() {
            end(&mut line);
        }
        line.extend(core::iter::once(b'\n'));
        end(&mut line);
        if !taken {
            DROPPED.store(DROPPED.load(Relaxed).saturating_add(1), Relaxed);
        }
    }

    /// `false` if the log has not taken all bytes by the deadline.
    #[inline(never)]
    fn put(self, mut bytes: &[u8], deadline: u64) -> bool {
        let sink = Sink::of(self.descriptor);
        while !bytes.is_empty() {
            match sink.write(bytes, deadline) {
                Ok(0) => return true,
                Ok(length) => {
                    let (written, rest) = bytes.split_at_checked(length).unwrap_or((bytes, b""));
                    let cut = !written.ends_with(b"\n");
                    // Written only when it changes: an unwritten page costs the process no memory.
                    if CUT.load(Relaxed) != cut {
                        CUT.store(cut, Relaxed);
                    }
                    bytes = rest;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if sys::since_boot() >= deadline {
                        return false;
                    }
                    sink.wait(deadline);
                }
                // It is closed or has no reader: later lines would fail as well.
                Err(_) => return true,
            }
        }
        true
    }
}

/// How to write to the log without blocking in write(2).
enum Sink {
    /// A file, or not an open descriptor at all.
    Plain(BorrowedFd<'static>),
    Socket(BorrowedFd<'static>),
    /// A terminal or pipe, opened anew with O_NONBLOCK.
    Own(OwnedFd),
    /// It cannot be opened anew: there is no /proc yet, or it belongs to another user. A write of up to [`LINE`] bytes does not
    /// block after poll(2) has reported room, unless another process fills it in between.
    Shared(BorrowedFd<'static>),
}

impl Sink {
    fn of(descriptor: u32) -> Self {
        let shared = sys::inherited(descriptor);
        match fstat(shared).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Err(_) | Ok(FileType::RegularFile | FileType::BlockDevice) => Self::Plain(shared),
            Ok(FileType::Socket) => Self::Socket(shared),
            Ok(_) => {
                let number = Decimal::new(descriptor.into());
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                Text::<32>::of(&[b"/proc/self/fd/", number.as_bytes()])
                    .map_err(|_| Errno::NAMETOOLONG)
                    .and_then(|path| open(path.as_c_str(), flags, Mode::empty()))
                    .map_or(Self::Shared(shared), Self::Own)
            }
        }
    }

    fn write(&self, bytes: &[u8], deadline: u64) -> Result<usize> {
        match self {
            Self::Plain(file) => write(file, bytes),
            Self::Own(own) => write(own, bytes),
            Self::Socket(socket) => send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Self::Shared(shared) if self.wait(deadline) => write(shared, bytes),
            Self::Shared(_) => Err(Errno::AGAIN),
        }
    }

    /// Waits for room until the deadline; whether there is room.
    fn wait(&self, deadline: u64) -> bool {
        let descriptor = match self {
            Self::Own(own) => own.as_fd(),
            Self::Plain(other) | Self::Socket(other) | Self::Shared(other) => *other,
        };
        let left = deadline.saturating_sub(sys::since_boot()).cast_signed();
        let limit = Timespec {
            tv_sec: left / 1000,
            tv_nsec: left % 1000 * 1_000_000,
        };
        let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
        poll(&mut polled, Some(&limit)).is_ok_and(|ready| ready > 0)
    }
}

/// The parts of a template, with the values between them.
fn filled<'t>(template: &'t str, values: &'t [&'t [u8]]) -> impl Iterator<Item = &'t [u8]> {
    let mut rest = Some(template.as_bytes());
    let mut values = values.iter().copied();
    let mut at_value = false;
    core::iter::from_fn(move || {
        if core::mem::take(&mut at_value) {
            return Some(values.next().unwrap_or_default());
        }
        let Some(text) = rest else {
            return values.next();
        };
        let end = text.windows(2).position(|pair| pair == b"{}");
        let (part, behind) = text.split_at_checked(end.unwrap_or(text.len()))?;
        at_value = end.is_some();
        rest = behind.get(2..);
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn values_replace_the_braces_and_the_rest_follows() {
        let (a, b): (&[u8], &[u8]) = (b"A", b"{}");
        for (template, values, line) in [
            ("{} is {}", &[a, b][..], "A is {}"),
            ("no value", &[], "no value"),
            ("", &[a, b], "A{}"),
            ("the {} end ", &[a, b, a], "the A end {}A"),
            ("{}{}", &[a], "A"),
        ] {
            let filled: Vec<_> = filled(template, values).flatten().copied().collect();
            assert_eq!(filled, line.as_bytes(), "{template}");
        }
    }
}
