//! The power button: the kernel's own ACPI events, which tell of a press whatever device the button is. One socket, no
//! device file, nothing to wait for: the driver (module button) may come later.
//!
//! Generic netlink: the family `acpi_event` is asked for its only group (drivers/acpi/event.c).

use crate::{
    kernel::netlink::{
        Message, Netlink, REQUEST,
        messages::{attributes, messages, word},
        receive,
    },
    sys,
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, Result, fcntl_dupfd_cloexec},
    net::netlink::GENERIC,
};

const GENL_ID_CTRL: u16 = 16;
/// A genlmsghdr: CTRL_CMD_GETFAMILY, version 1.
const GET_FAMILY: &[u8] = &[3, 1, 0, 0];
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;
/// Behind a genlmsghdr of 4 bytes, an acpi_genl_event: it begins with the device's class.
const ACPI_GENL_ATTR_EVENT: u16 = 1;
const PRESSED: &[u8] = b"button/power\0";

pub(crate) struct Button(OwnedFd);

impl Button {
    /// `NOENT` from a kernel without ACPI, or in another than the first network namespace.
    pub(crate) fn open() -> Result<Self> {
        let socket = Netlink::open(Some(GENERIC))?;
        let mut message = Message::new(GENL_ID_CTRL, REQUEST);
        message.put(GET_FAMILY);
        message.attribute(CTRL_ATTR_FAMILY_NAME, b"acpi_event\0");
        socket.send(&mut message)?;
        let mut buffer = [0; 1024];
        // The kernel has answered when the write returns.
        let answer = receive(socket.as_fd(), &mut buffer)?;
        let group = group(answer).ok_or(Errno::NOENT)?;
        sys::join_netlink_group(socket.as_fd(), group)?;
        // Out of the way of the descriptors that are handed over.
        fcntl_dupfd_cloexec(socket, 64).map(Self)
    }

    /// Takes what has arrived: whether the button was pressed.
    pub(crate) fn was_pressed(&self) -> bool {
        let (mut buffer, mut pressed) = ([0; 1024], false);
        while let Ok(datagram) = receive(self.0.as_fd(), &mut buffer) {
            pressed |= tells_of_power(datagram);
        }
        pressed
    }
}

impl AsFd for Button {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The number of the first group in the answer.
fn group(answer: &[u8]) -> Option<u32> {
    let find = |bytes, wanted| {
        let found = attributes(bytes).find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| value)
    };
    let (_, body) = messages(answer).next()?;
    let groups = find(body.get(4..)?, CTRL_ATTR_MCAST_GROUPS)?;
    let (_, first) = attributes(groups).next()?;
    word(find(first, CTRL_ATTR_MCAST_GRP_ID)?, 0)
}

fn tells_of_power(datagram: &[u8]) -> bool {
    messages(datagram).any(|(_, body)| {
        attributes(body.get(4..).unwrap_or_default())
            .any(|(kind, event)| kind == ACPI_GENL_ATTR_EVENT && event.starts_with(PRESSED))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(attributes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(20 + attributes.len()).unwrap();
        [
            &length.to_ne_bytes()[..],
            &[0; 12],
            &[1, 1, 0, 0],
            attributes,
        ]
        .concat()
    }

    #[test]
    fn the_group_is_read_from_the_kernels_answer() {
        let names = [
            attribute(1, b"acpi_mc_group\0"),
            attribute(2, &9_u32.to_ne_bytes()),
        ];
        let groups = attribute(7 | 0x8000, &attribute(1, &names.concat()));
        let answer = [
            attribute(2, b"acpi_event\0"),
            attribute(1, &[24, 0]),
            groups,
        ];
        assert_eq!(group(&message(&answer.concat())), Some(9));
        assert_eq!(group(&message(&attribute(2, b"acpi_event\0"))), None);
    }

    #[test]
    fn only_the_power_button_counts() {
        let event = |class: &[u8]| {
            let mut event = class.to_vec();
            event.resize(44, 0);
            message(&attribute(1, &event))
        };
        assert!(tells_of_power(&event(b"button/power")));
        for class in [&b"button/sleep"[..], b"button/powers", b"ac_adapter", b""] {
            assert!(!tells_of_power(&event(class)));
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_judged(bytes: Vec<u8>) {
            let _ = (group(&bytes), tells_of_power(&bytes));
        }
    }
}
