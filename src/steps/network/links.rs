//! rtnetlink(7): which interfaces exist, and which one to configure.
//!
//! If none is named it is the first network card. Cards have no IFLA_INFO_KIND; virtual interfaces have one. Some kinds
//! appear as soon as their module is loaded (dummy0, ifb0, bond0): they are never taken. Others were created on purpose, as
//! a container's veth by the outer engine: they are taken if there is no card.

use crate::{
    kernel::{
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
    fd::AsFd,
    io::{Errno, Result},
    net::{bind, netlink},
};

/// Kinds whose interfaces appear with their module; they are taken only by name.
const AUTOMATIC: &[&str] = &[
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

/// RTMGRP_LINK: the kernel reports new interfaces.
const LINKS: u32 = 1;

/// An interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: Text<17>,
    /// Its hardware address; zeros if it has no address of six bytes.
    pub(super) address: [u8; 6],
    origin: Origin,
}

/// Who has created it, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Origin {
    /// The driver of a network card.
    Card,
    /// Somebody, on purpose: a virtual interface.
    Virtual,
    /// A module, when it was loaded; or it is not Ethernet, like lo.
    Automatic,
}

/// Which interface to find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which<'w> {
    Named(&'w [u8]),
    /// By its hardware address.
    Card([u8; 6]),
    /// The first card, or else the first virtual interface.
    First,
}

impl Which<'_> {
    fn is(&self, link: &Link) -> bool {
        match self {
            Self::Named(name) => link.name.as_bytes() == *name,
            Self::Card(address) => link.origin != Origin::Automatic && link.address == *address,
            Self::First => link.origin != Origin::Automatic,
        }
    }

    /// Whether no later interface can be better.
    fn is_final(&self, link: &Link) -> bool {
        matches!(self, Self::Named(_)) || link.origin == Origin::Card
    }
}

/// Looks only at the interfaces that exist; `TIMEDOUT` if it is not among them.
pub(super) fn find(which: Which<'_>) -> Result<Link> {
    look(None, which)
}

/// Waits up to `seconds` for the interface to appear; `CANCELED` if a shutdown is requested.
pub(super) fn wait_for(requests: &Requests, which: Which<'_>, seconds: u64) -> Result<Link> {
    look(Some((requests, seconds)), which)
}

fn look(limit: Option<(&Requests, u64)>, which: Which<'_>) -> Result<Link> {
    let mut found: Option<Link> = None;
    watch(limit, &mut |link| match link {
        Some(link) if which.is(link) => {
            if found.is_none_or(|found| link.origin < found.origin) {
                found = Some(*link);
            }
            which.is_final(link)
        }
        Some(_) => false,
        None => found.is_some(),
    })?;
    found.ok_or(Errno::TIMEDOUT)
}

/// Calls `each` with every interface that exists.
pub(super) fn each(each: &mut dyn FnMut(&Link)) -> Result<()> {
    watch(None, &mut |link| {
        link.map(&mut *each);
        link.is_none()
    })
}

/// Calls `call` with all cards; if there is none, with all virtual interfaces.
pub(super) fn each_uplink(call: &mut dyn FnMut(&Link)) -> Result<()> {
    let (mut cards, mut others, mut other) = (0, 0, None);
    each(&mut |link| match link.origin {
        Origin::Card => {
            cards += 1;
            call(link);
        }
        Origin::Virtual => {
            others += 1;
            other = Some(*link);
        }
        Origin::Automatic => {}
    })?;
    match (cards, others, &other) {
        (0, 0, _) => Err(Errno::TIMEDOUT),
        (0, 1, Some(other)) => {
            call(other);
            Ok(())
        }
        (0, ..) => each(&mut |link| {
            if link.origin == Origin::Virtual {
                call(link);
            }
        }),
        _ => Ok(()),
    }
}

/// Calls `enough` with the existing interfaces and then with `None`; within the limit of seconds also with new ones, until it
/// returns true. `TIMEDOUT` if it does not.
fn watch(
    limit: Option<(&Requests, u64)>,
    enough: &mut dyn FnMut(Option<&Link>) -> bool,
) -> Result<()> {
    let socket = Netlink::open(ROUTE)?;
    if limit.is_some() {
        bind(&socket, &netlink::SocketAddrNetlink::new(0, LINKS))?;
    }
    let mut message = Message::new(GET_LINK, REQUEST | DUMP);
    message.put(&[0; 16]);
    socket.send(&mut message)?;

    let limit = limit.map(|(requests, seconds)| (requests, sys::since_boot() + seconds * 1000));
    let mut buffer = [0; 16384];
    loop {
        if let Some((requests, deadline)) = limit {
            requests.wait(socket.as_fd(), deadline)?;
        }
        // The dump of what exists can be read without waiting.
        for (kind, body) in messages(receive(socket.as_fd(), &mut buffer)?) {
            let done = match (kind, read(body)) {
                (DONE, _) => enough(None),
                (NEW_LINK, Some(link)) => enough(Some(&link)),
                _ => false,
            };
            if done {
                return Ok(());
            }
            if kind == DONE && limit.is_none() {
                return Err(Errno::TIMEDOUT);
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
        origin: if hardware == ETHERNET {
            Origin::Card
        } else {
            Origin::Automatic
        },
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = Text::of(&[value.strip_suffix(b"\0")?]).ok()?,
            IFLA_ADDRESS => link.address = value.try_into().unwrap_or_default(),
            IFLA_LINKINFO if link.origin == Origin::Card => link.origin = origin(value),
            _ => {}
        }
    }
    Some(link)
}

fn origin(information: &[u8]) -> Origin {
    let kind = attributes(information).find(|(kind, _)| *kind == IFLA_INFO_KIND);
    let Some((_, kind)) = kind else {
        return Origin::Card;
    };
    let kind = kind.strip_suffix(b"\0").unwrap_or(kind);
    if AUTOMATIC
        .iter()
        .any(|automatic| automatic.as_bytes() == kind)
    {
        Origin::Automatic
    } else {
        Origin::Virtual
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
    fn a_missing_interface_times_out() {
        assert_eq!(find(Which::Named(b"never")), Err(Errno::TIMEDOUT));
    }

    #[test]
    fn d2_a_card_comes_before_virtual_interfaces_and_some_kinds_are_never_taken() {
        let kind = |kind: &[u8]| {
            let length = kind.len() as u16 + 4;
            origin(&[&length.to_ne_bytes()[..], &1_u16.to_ne_bytes(), kind].concat())
        };
        for automatic in [&b"dummy\0"[..], b"ifb\0", b"bond\0", b"gretap\0"] {
            assert_eq!(kind(automatic), Origin::Automatic);
        }
        for software in [&b"veth\0"[..], b"macvlan\0", b"bridge\0", b"tun"] {
            assert_eq!(kind(software), Origin::Virtual);
        }
        assert_eq!(origin(b""), Origin::Card);
        assert!(Origin::Card < Origin::Virtual);
    }

    proptest! {
        #[test]
        fn any_datagram_is_parsed_to_its_end(bytes: Bytes<u8>) {
            for (_, body) in messages(&bytes) {
                let _ = read(body);
            }
            let _ = read(&bytes);
        }
    }
}
