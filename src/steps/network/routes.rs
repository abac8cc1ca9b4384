//! Reads the IPv4 routes of /proc/net/route: a heading, then lines of interface, destination, gateway, flags, references,
//! use, metric, mask.

use crate::{
    error::Step,
    fs::{self, Lookup},
    log::Log,
    text::words,
};
use core::ffi::CStr;

const FILE: &CStr = c"/proc/net/route";

/// Whether any route goes through the interface.
pub(super) fn goes_through(log: Log, name: &[u8]) -> bool {
    any(log, &mut |interface, _| interface == name)
}

/// Whether there is a default route.
pub(super) fn has_default(log: Log) -> bool {
    any(log, &mut |_, is_default| is_default)
}

fn any(log: Log, is: &mut dyn FnMut(&[u8], bool) -> bool) -> bool {
    const ANY: Option<&[u8]> = Some(b"00000000");
    let mut found = false;
    let outcome = fs::lines(FILE, &mut |line| {
        let mut columns = words(line);
        if let Some(interface) = columns.next() {
            let (destination, mask) = (columns.next(), columns.nth(5));
            found |= is(interface, destination == ANY && mask == ANY);
        }
    });
    outcome.if_exists_or_warn(log, Step::Network, FILE);
    found
}
