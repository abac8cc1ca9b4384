//! One line, one write: so that lines of several processes never mix, and /dev/kmsg takes each as one record.

use crate::{sys, text::Decimal};
use heapless::Vec;
use rustix::io::write;

/// A line is written at once up to this length, which /dev/kmsg takes as one record; more follows in a second write.
const LINE: usize = 1000;

/// Where lines go, and which.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    pub(crate) descriptor: u32,
    pub(crate) debug: bool,
}

impl Log {
    /// `dockerlaunch: PARTS`. A log that cannot be written is nobody's error.
    pub(crate) fn line(self, parts: &[&[u8]]) {
        self.write(&[b"dockerlaunch: "], parts);
    }

    /// Something optional is missing: the boot goes on.
    pub(crate) fn warning(self, parts: &[&[u8]]) {
        self.write(&[b"dockerlaunch: warning: "], parts);
    }

    /// With DOCKER_LAUNCH_DEBUG only, behind the time since the kernel's start.
    pub(crate) fn debug(self, parts: &[&[u8]]) {
        if self.debug {
            let time = Decimal::new(sys::since_boot());
            self.write(&[b"dockerlaunch: [", time.as_bytes(), b" ms] "], parts);
        }
    }

    fn write(self, before: &[&[u8]], parts: &[&[u8]]) {
        let mut line: Vec<u8, LINE> = Vec::new();
        let put = |line: &mut Vec<u8, LINE>, byte| {
            if line.push(byte).is_err() {
                let _ = write(sys::inherited(self.descriptor), line);
                line.clear();
                let _ = line.push(byte);
            }
        };
        for byte in before.iter().chain(parts).copied().flatten() {
            // What was given to us must not look like a line of ours.
            put(
                &mut line,
                if byte.is_ascii_control() { b'?' } else { *byte },
            );
        }
        put(&mut line, b'\n');
        let _ = write(sys::inherited(self.descriptor), &line);
    }
}
