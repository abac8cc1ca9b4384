//! Whether this process is in the first namespaces, those the kernel booted with: only there does it manage the machine itself.
//! The numbers are the kernel's constants PROC_PID_INIT_INO and PROC_USER_INIT_INO.

use core::ffi::CStr;
use rustix::fs::{CWD, readlinkat_raw};

/// A kind of namespace.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    own: &'static CStr,
    first: &'static [u8],
}

pub(crate) const PID: Kind = Kind {
    own: c"/proc/self/ns/pid",
    first: b"pid:[4026531836]",
};
pub(crate) const USER: Kind = Kind {
    own: c"/proc/self/ns/user",
    first: b"user:[4026531837]",
};

impl Kind {
    /// Whether this process is in the first one; `None` if that cannot be read, for example without /proc.
    pub(crate) fn is_first(self) -> Option<bool> {
        let mut target = [0; 32];
        let length = readlinkat_raw(CWD, self.own, &mut target).ok()?;
        Some(target.get(..length) == Some(self.first))
    }
}
