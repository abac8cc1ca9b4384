//! rtnetlink(7): finding an interface, and giving it an address and a route.

use crate::{
    messages::{attributes, half, messages, word},
    netlink::{Message, Netlink, REQUEST, ROUTE},
    requests::Requests,
    run, sys,
    text::Text,
};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    io::{Errno, Result, retry_on_intr},
    net::{RecvFlags, bind, netlink, recv},
};

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
const CREATE_ONLY: u16 = 0x600;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

/// An attribute in an attribute: IFLA_INFO_KIND is `bridge`.
const KIND_BRIDGE: &[u8] = b"\x0a\0\x01\0bridge";

const ETHERNET: u16 = 1;
const UP: u32 = 1;
const INET: u8 = 2;

/// RTMGRP_LINK: the kernel tells of interfaces that come.
const LINKS: u32 = 1;

/// An interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: Text<17>,
    /// Its hardware address; zeros where it has none of six bytes.
    pub(super) address: [u8; 6],
}

/// The kernel's network configuration.
pub(super) struct Links(Netlink);

impl Links {
    pub(super) fn open() -> Result<Self> {
        Netlink::open(ROUTE).map(Self)
    }

    /// The interface of this name, or the first Ethernet one if it is empty. Waits for it to come, but not longer than
    /// `seconds`; with none, only those that are there are looked at.
    pub(super) fn find(name: &[u8], seconds: u64) -> Result<Link> {
        Self::look(None, name, seconds)
    }

    /// The same; `CANCELED` when the end is asked for.
    pub(super) fn wait_for(requests: &Requests, name: &[u8], seconds: u64) -> Result<Link> {
        Self::look(Some(requests), name, seconds)
    }

    fn look(requests: Option<&Requests>, name: &[u8], seconds: u64) -> Result<Link> {
        let Self(socket) = Self::open()?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, LINKS))?;
        let mut message = Message::new(GET_LINK, REQUEST | DUMP);
        message.put(&[0; 16]);
        socket.send(message)?;

        let deadline = sys::since_boot() + seconds * 1000;
        let mut buffer = [0; 16384];
        loop {
            // What the dump holds can be read at once.
            match requests {
                Some(requests) => requests.wait(socket.as_fd(), deadline)?,
                None => run::readable(&mut [PollFd::new(&socket, PollFlags::IN)], deadline)?,
            }
            let (length, _) = retry_on_intr(|| recv(&socket, &mut buffer[..], RecvFlags::empty()))?;
            let found = messages(buffer.get(..length).unwrap_or_default())
                .find_map(|(kind, body)| matching_link(kind, body, name));
            if let Some(link) = found {
                return Ok(link);
            }
        }
    }

    /// A bridge that is there already is left.
    pub(super) fn add_bridge(&self, name: &[u8], mtu: Option<u32>) -> Result<()> {
        let mut message = Message::new(NEW_LINK, REQUEST | ACKNOWLEDGE | CREATE_ONLY);
        message.put(&[0; 16]);
        message.attribute(IFLA_IFNAME, name);
        if let Some(mtu) = mtu {
            message.attribute(IFLA_MTU, &mtu.to_ne_bytes());
        }
        message.attribute(IFLA_LINKINFO, KIND_BRIDGE);
        self.change(message)
    }

    pub(super) fn set_up(&self, index: u32) -> Result<()> {
        let mut message = Message::new(NEW_LINK, REQUEST | ACKNOWLEDGE);
        message.put(&[0; 4]);
        message.put(&index.to_ne_bytes());
        message.put(&UP.to_ne_bytes());
        message.put(&UP.to_ne_bytes());
        self.change(message)
    }

    /// An address that is there already is left.
    pub(super) fn add_address(&self, index: u32, address: [u8; 4], prefix: u8) -> Result<()> {
        let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let broadcast = u32::from_be_bytes(address) | host_bits;
        let mut message = Message::new(NEW_ADDRESS, REQUEST | ACKNOWLEDGE | CREATE_ONLY);
        message.put(&[INET, prefix, 0, 0]);
        message.put(&index.to_ne_bytes());
        message.attribute(IFA_LOCAL, &address);
        message.attribute(IFA_ADDRESS, &address);
        if prefix < 31 {
            message.attribute(IFA_BROADCAST, &broadcast.to_be_bytes());
        }
        self.change(message)
    }

    /// A default route that is there already is left.
    pub(super) fn add_default_route(&self, index: u32, gateway: [u8; 4]) -> Result<()> {
        const MAIN_TABLE: u8 = 254;
        const BY_BOOT: u8 = 3;
        const UNICAST: u8 = 1;
        let mut message = Message::new(NEW_ROUTE, REQUEST | ACKNOWLEDGE | CREATE_ONLY);
        message.put(&[INET, 0, 0, 0, MAIN_TABLE, BY_BOOT, 0, UNICAST, 0, 0, 0, 0]);
        message.attribute(RTA_GATEWAY, &gateway);
        message.attribute(RTA_OIF, &index.to_ne_bytes());
        self.change(message)
    }

    /// What is there already stays as it is.
    fn change(&self, message: Message) -> Result<()> {
        match self.0.request(message) {
            Err(Errno::EXIST) => Ok(()),
            outcome => outcome,
        }
    }
}

/// The interface, if the message tells of one and it is the one that is looked for.
fn matching_link(kind: u16, body: &[u8], name: &[u8]) -> Option<Link> {
    if kind != NEW_LINK {
        return None;
    }
    let (hardware, index) = (half(body, 2)?, word(body, 4)?);
    let mut link = Link {
        index,
        name: Text::new(),
        address: [0; 6],
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = Text::of(&[value.strip_suffix(b"\0")?]).ok()?,
            IFLA_ADDRESS => link.address = value.try_into().unwrap_or_default(),
            _ => {}
        }
    }
    let found = link.name.as_bytes();
    (found == name || (name.is_empty() && hardware == ETHERNET)).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec as Bytes;

    #[test]
    fn lo_is_found_by_its_name() {
        let lo = Links::find(b"lo", 0).unwrap();
        assert_eq!(
            (lo.index, lo.name.as_bytes(), lo.address),
            (1, &b"lo"[..], [0; 6])
        );
    }

    #[test]
    fn what_does_not_come_is_not_found() {
        assert_eq!(Links::find(b"never", 0), Err(Errno::TIMEDOUT));
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_to_its_end(bytes: Bytes<u8>) {
            for (kind, body) in messages(&bytes) {
                let _ = matching_link(kind, body, b"eth0");
            }
            let _ = matching_link(NEW_LINK, &bytes, b"");
        }
    }
}
