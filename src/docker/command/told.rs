//! What the daemon is told: its words and its variables, one by one and as the arrays that execve(2) takes. What is meant for this
//! program, or for none, is left out.

use super::Command;
use crate::{
    kernel::cmdline,
    settings::is_setting,
    sys::{ExecArray, Strings},
};
use core::ffi::CStr;
use rustix::io;

impl<'a> Command<'a> {
    /// The daemon's name as it was given, and its words.
    pub(crate) fn words(&self) -> Told<'a> {
        Told {
            daemon: Some(self.daemon),
            words: self.words,
            left_out: self.left_out,
        }
    }

    /// The same for execve(2).
    pub(crate) fn array_of_words(&self) -> io::Result<ExecArray<'a>> {
        let mut words = ExecArray::with_room(self.words().count())?;
        self.words().for_each(|word| words.push(word));
        Ok(words)
    }

    pub(crate) fn environment(&self) -> Environment<'a> {
        Environment {
            given: self.environment,
            added: self.added,
        }
    }

    /// The same for execve(2), with one more.
    #[cfg(any(feature = "modprobe", feature = "network", feature = "state"))]
    pub(crate) fn array_of_environment(
        &self,
        one_more: Option<&'static CStr>,
    ) -> io::Result<ExecArray<'a>> {
        let mut words = ExecArray::with_room(self.environment().count() + 1)?;
        self.environment().for_each(|word| words.push(word));
        words.extend(one_more.as_slice());
        Ok(words)
    }
}

/// The daemon's variables.
#[derive(Clone)]
pub(crate) struct Environment<'a> {
    given: Strings<'a>,
    added: Option<&'static CStr>,
}

impl<'a> Iterator for Environment<'a> {
    type Item = &'a CStr;

    #[inline(never)] // smaller
    fn next(&mut self) -> Option<&'a CStr> {
        loop {
            match self.given.next() {
                Some(variable) if is_setting(variable) => {}
                Some(variable) => return Some(variable),
                None => return self.added.take(),
            }
        }
    }
}

/// What the daemon is told.
#[derive(Clone)]
pub(crate) struct Told<'a> {
    daemon: Option<&'a CStr>,
    words: Strings<'a>,
    left_out: Option<&'static [u8]>,
}

impl<'a> Iterator for Told<'a> {
    type Item = &'a CStr;

    #[inline(never)] // smaller
    fn next(&mut self) -> Option<&'a CStr> {
        if let Some(daemon) = self.daemon.take() {
            return Some(daemon);
        }
        loop {
            let word = self.words.next()?;
            let flag = self
                .left_out
                .and_then(|flag| word.to_bytes().strip_prefix(flag));
            match flag {
                Some(b"") => _ = self.words.next(), // its value
                Some([b'=', ..]) => {}
                _ if cmdline::is_of_boot_loader(word.to_bytes()) => {}
                _ => return Some(word),
            }
        }
    }
}
