//! rtnetlink(7): which interfaces there are, and which one is meant.
//!
//! Where none is named it is the first network card. A driver of a card leaves IFLA_INFO_KIND out; what software has made has
//! one. Some kinds appear with their module although nobody asked for one (dummy0, ifb0, bond0): they are never taken. Others
//! were made on purpose, as an outer engine makes a container's veth: they are taken where there is no card.

use crate::{
    kernel::{
        children,
        netlink::{
            Message, Netlink, REQUEST, ROUTE,
            messages::{attributes, half, messages, word},
            receive,
        },
        requests::Requests,
    },
    sys,
    text::Text,
};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    io::{Errno, Result},
    net::{bind, netlink},
};

/// Kinds of which interfaces appear with the module; only by its name is such a one taken.
const UNASKED: &[&str] = &[
    "bond",
    "dummy",
    "erspan",
    "gretap",
    "ifb",
    "ip6erspan",
    "ip6gretap",
];

const DONE: u16 = 3;
pub(super) const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;

pub(super) const DUMP: u16 = 0x300;

const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

const ETHERNET: u16 = 1;

/// RTMGRP_LINK: the kernel reports interfaces that come.
const LINKS: u32 = 1;

/// An interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: Text<17>,
    /// Its hardware address; zeros where it has none of six bytes.
    pub(super) address: [u8; 6],
    made: Made,
}

/// Who has made it; the first is taken first.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Made {
    /// The driver of a network card.
    ForCard,
    /// Somebody, on purpose.
    OnPurpose,
    /// A module that was loaded; or it is not Ethernet, as lo.
    Unasked,
}

/// The interface that is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which<'w> {
    Named(&'w [u8]),
    /// By its hardware address.
    Card([u8; 6]),
    /// The first card, or else the first that was made on purpose.
    First,
}

impl Which<'_> {
    fn is(&self, link: &Link) -> bool {
        match self {
            Self::Named(name) => link.name.as_bytes() == *name,
            Self::Card(address) => link.made != Made::Unasked && link.address == *address,
            Self::First => link.made != Made::Unasked,
        }
    }

    /// No other can be better.
    fn is_final(&self, link: &Link) -> bool {
        matches!(self, Self::Named(_)) || link.made == Made::ForCard
    }
}

/// Only those that are there are looked at; `TIMEDOUT` without it.
pub(super) fn find(which: Which<'_>) -> Result<Link> {
    look(None, which, 0)
}

/// Waits for the interface to come, but not longer than `seconds`; `CANCELED` when the end is asked for.
pub(super) fn wait_for(requests: &Requests, which: Which<'_>, seconds: u64) -> Result<Link> {
    look(Some(requests), which, seconds)
}

fn look(requests: Option<&Requests>, which: Which<'_>, seconds: u64) -> Result<Link> {
    let mut found: Option<Link> = None;
    watch(requests, seconds, &mut |link| match link {
        Some(link) if which.is(link) => {
            if found.is_none_or(|found| link.made < found.made) {
                found = Some(*link);
            }
            which.is_final(link)
        }
        Some(_) => false,
        None => found.is_some(),
    })?;
    found.ok_or(Errno::TIMEDOUT)
}

/// Calls `each` with every interface that is there.
pub(super) fn each(each: &mut dyn FnMut(&Link)) -> Result<()> {
    watch(None, 0, &mut |link| {
        link.map(&mut *each);
        link.is_none()
    })
}

/// All cards; where there is none, all that were made on purpose.
pub(super) fn each_uplink(call: &mut dyn FnMut(&Link)) -> Result<()> {
    let first = find(Which::First)?;
    each(&mut |link| {
        if link.made == first.made {
            call(link);
        }
    })
}

/// Calls `enough` with the interfaces that are there, then with `None`, then with those that come, until it is true.
fn watch(
    requests: Option<&Requests>,
    seconds: u64,
    enough: &mut dyn FnMut(Option<&Link>) -> bool,
) -> Result<()> {
    let socket = Netlink::open(ROUTE)?;
    bind(&socket, &netlink::SocketAddrNetlink::new(0, LINKS))?;
    let mut message = Message::new(GET_LINK, REQUEST | DUMP);
    message.put(&[0; 16]);
    socket.send(&mut message)?;

    let deadline = sys::since_boot() + seconds * 1000;
    let mut buffer = [0; 16384];
    loop {
        // What the dump holds can be read at once.
        match requests {
            Some(requests) => requests.wait(socket.as_fd(), deadline)?,
            None => children::readable(&mut [PollFd::new(&socket, PollFlags::IN)], deadline)?,
        }
        for (kind, body) in messages(receive(socket.as_fd(), &mut buffer)?) {
            let done = match (kind, read(body)) {
                (DONE, _) => enough(None),
                (NEW_LINK, Some(link)) => enough(Some(&link)),
                _ => false,
            };
            if done {
                return Ok(());
            }
        }
    }
}

/// The interface that a message is about.
fn read(body: &[u8]) -> Option<Link> {
    let (hardware, index) = (half(body, 2)?, word(body, 4)?);
    let mut link = Link {
        index,
        name: Text::new(),
        address: [0; 6],
        made: if hardware == ETHERNET {
            Made::ForCard
        } else {
            Made::Unasked
        },
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = Text::of(&[value.strip_suffix(b"\0")?]).ok()?,
            IFLA_ADDRESS => link.address = value.try_into().unwrap_or_default(),
            IFLA_LINKINFO if link.made == Made::ForCard => link.made = made(value),
            _ => {}
        }
    }
    Some(link)
}

fn made(information: &[u8]) -> Made {
    let kind = attributes(information).find(|(kind, _)| *kind == IFLA_INFO_KIND);
    let Some((_, kind)) = kind else {
        return Made::ForCard;
    };
    let kind = kind.strip_suffix(b"\0").unwrap_or(kind);
    if UNASKED.iter().any(|unasked| unasked.as_bytes() == kind) {
        Made::Unasked
    } else {
        Made::OnPurpose
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec as Bytes;

    #[test]
    fn lo_is_found_by_its_name_only() {
        let lo = find(Which::Named(b"lo")).unwrap();
        assert_eq!(
            (lo.index, lo.name.as_bytes(), lo.address),
            (1, &b"lo"[..], [0; 6])
        );
        assert!(!Which::First.is(&lo) && !Which::Card([0; 6]).is(&lo));
    }

    #[test]
    fn what_does_not_come_is_not_found() {
        assert_eq!(find(Which::Named(b"never")), Err(Errno::TIMEDOUT));
    }

    #[test]
    fn d2_a_card_comes_before_what_was_made_and_some_kinds_are_never_taken() {
        let kind = |kind: &[u8]| {
            let length = kind.len() as u16 + 4;
            made(&[&length.to_ne_bytes()[..], &1_u16.to_ne_bytes(), kind].concat())
        };
        for unasked in [&b"dummy\0"[..], b"ifb\0", b"bond\0", b"gretap\0"] {
            assert_eq!(kind(unasked), Made::Unasked);
        }
        for on_purpose in [&b"veth\0"[..], b"macvlan\0", b"bridge\0", b"tun"] {
            assert_eq!(kind(on_purpose), Made::OnPurpose);
        }
        assert_eq!(made(b""), Made::ForCard);
        assert!(Made::ForCard < Made::OnPurpose);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_to_its_end(bytes: Bytes<u8>) {
            for (_, body) in messages(&bytes) {
                let _ = read(body);
            }
            let _ = read(&bytes);
        }
    }
}
