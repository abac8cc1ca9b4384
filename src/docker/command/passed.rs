//! What the daemon is started with: its arguments and its environment, one by one and as the arrays that execve(2) takes. Settings
//! of dockerlaunch, and words that a boot loader added, are left out.

use super::Command;
use crate::{
    kernel::cmdline,
    settings::is_setting,
    sys::{ExecArray, Strings},
};
use core::ffi::CStr;
use rustix::io;

impl<'a> Command<'a> {
    /// The daemon's name as it was given, and its arguments.
    pub(crate) fn arguments(&self) -> Arguments<'a> {
        Arguments {
            daemon: Some(self.daemon),
            arguments: self.arguments,
            left_out: self.left_out,
        }
    }

    /// The same for execve(2), with one more flag. It is the first one, so that a `--` among the arguments does not matter.
    pub(crate) fn array_of_arguments<'b>(
        &self,
        one_more: Option<&'b CStr>,
    ) -> io::Result<ExecArray<'b>>
    where
        'a: 'b,
    {
        let mut given = self.arguments();
        let mut arguments = ExecArray::with_room(given.clone().count() + 1)?;
        let name = given.next();
        for argument in name.into_iter().chain(one_more).chain(given) {
            arguments.push(argument);
        }
        Ok(arguments)
    }

    pub(crate) fn environment(&self) -> Environment<'a> {
        Environment {
            given: self.environment,
            added: self.added,
        }
    }

    /// The same for execve(2), with one more variable.
    #[cfg(any(feature = "modprobe", feature = "network", feature = "state"))]
    pub(crate) fn array_of_environment(
        &self,
        one_more: Option<&'static CStr>,
    ) -> io::Result<ExecArray<'a>> {
        let mut variables = ExecArray::with_room(self.environment().count() + 1)?;
        self.environment()
            .for_each(|variable| variables.push(variable));
        variables.extend(one_more.as_slice());
        Ok(variables)
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

/// The daemon's arguments, its name first.
#[derive(Clone)]
pub(crate) struct Arguments<'a> {
    daemon: Option<&'a CStr>,
    arguments: Strings<'a>,
    left_out: Option<&'static [u8]>,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a CStr;

    #[inline(never)] // smaller
    fn next(&mut self) -> Option<&'a CStr> {
        if let Some(daemon) = self.daemon.take() {
            return Some(daemon);
        }
        loop {
            let argument = self.arguments.next()?;
            let flag = self
                .left_out
                .and_then(|flag| argument.to_bytes().strip_prefix(flag));
            match flag {
                Some(b"") => _ = self.arguments.next(), // its value
                Some([b'=', ..]) => {}
                _ if cmdline::is_of_boot_loader(argument.to_bytes()) => {}
                _ => return Some(argument),
            }
        }
    }
}
