//! One line, one write: so that lines of several processes never mix, and /dev/kmsg takes each as one record.

use crate::{sys, text::Decimal};
use heapless::Vec;
use rustix::io::{IoSlice, writev};

/// The most parts a line has: the longest names each of 64 modules, with a blank before it.
const PARTS: usize = 140;

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
            self.write(
                &[
                    b"dockerlaunch: [",
                    Decimal::new(sys::since_boot()).as_bytes(),
                    b" ms] ",
                ],
                parts,
            );
        }
    }

    fn write(self, before: &[&[u8]], parts: &[&[u8]]) {
        let mut slices: Vec<IoSlice<'_>, PARTS> = Vec::new();
        for part in before.iter().chain(parts).chain(&[&b"\n"[..]]) {
            let _ = slices.push(IoSlice::new(part));
        }
        let _ = writev(sys::inherited(self.descriptor), &slices);
    }
}
