//! The power button, through the kernel's ACPI events: one netlink socket reports every power button, no device file is needed,
//! and the driver (module button) may be loaded later.
//!
//! Generic netlink: events go to the only multicast group of the family `acpi_event` (drivers/acpi/event.c).

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
/// An acpi_genl_event, after a genlmsghdr of 4 bytes; it begins with the device's class.
const ACPI_GENL_ATTR_EVENT: u16 = 1;
const PRESSED: &[u8] = b"button/power\0";

pub(crate) struct Button(OwnedFd);

impl Button {
    /// `NOENT` on a kernel without ACPI, or outside the first network namespace.
    pub(crate) fn open() -> Result<Self> {
        let socket = Netlink::open(Some(GENERIC))?;
        let mut message = Message::new(GENL_ID_CTRL, REQUEST);
        message.put(GET_FAMILY);
        message.attribute(CTRL_ATTR_FAMILY_NAME, b"acpi_event\0");
        socket.send(&mut message)?;
        let mut buffer = [0; 1024];
        // The answer is there when the write returns.
        let answer = receive(socket.as_fd(), &mut buffer)?;
        let group = group(answer).ok_or(Errno::NOENT)?;
        sys::join_netlink_group(socket.as_fd(), group)?;
        // Above the descriptors that the daemon inherits.
        fcntl_dupfd_cloexec(socket, 64).map(Self)
    }

    /// Reads all events; whether one of them is a press of the power button.
    pub(crate) fn was_pressed(&self) -> bool {
        let (mut buffer, mut pressed) = ([0; 1024], false);
        while let Ok(datagram) = receive(self.0.as_fd(), &mut buffer) {
            pressed |= has_press(datagram);
        }
        pressed
    }
}

impl AsFd for Button {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The number of the first group in an answer.
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

fn has_press(datagram: &[u8]) -> bool {
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
    fn the_group_is_read_from_an_answer() {
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
        assert!(has_press(&event(b"button/power")));
        for class in [&b"button/sleep"[..], b"button/powers", b"ac_adapter", b""] {
            assert!(!has_press(&event(class)));
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_handled(bytes: Vec<u8>) {
            let _ = (group(&bytes), has_press(&bytes));
        }
    }
}
