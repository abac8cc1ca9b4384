//! Which IPv4 routes there are: /proc/net/route, a line of titles, then interface, destination, gateway, flags, references, use,
//! metric, mask.

use crate::{fs, text::words};

/// Whether any route goes through the interface.
pub(super) fn goes_through(name: &[u8]) -> bool {
    any(&mut |interface, _| interface == name)
}

/// Whether there is a default route.
pub(super) fn has_default() -> bool {
    any(&mut |_, is_default| is_default)
}

fn any(is: &mut dyn FnMut(&[u8], bool) -> bool) -> bool {
    const ANY: Option<&[u8]> = Some(b"00000000");
    let mut found = false;
    let _ = fs::lines(c"/proc/net/route", &mut |line| {
        let mut columns = words(line);
        if let Some(interface) = columns.next() {
            let (destination, mask) = (columns.next(), columns.nth(5));
            found |= is(interface, destination == ANY && mask == ANY);
        }
    });
    found
}
