//! rtnetlink(7): adds a bridge, addresses and routes, and removes the addresses of a lease. What exists already stays.

use super::links::{DUMP, IFLA_IFNAME, IFLA_LINKINFO, NEW_LINK};
use crate::kernel::netlink::{
    Message, Netlink, REQUEST, ROUTE,
    messages::{attributes, messages, word},
    receive,
};
use core::net::{IpAddr, Ipv4Addr};
use heapless::Vec;
use rustix::{
    fd::AsFd,
    io::{Errno, Result},
};

const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;

const ACKNOWLEDGE: u16 = 0x4;
const CREATE_ONLY: u16 = 0x600;
const REPLACE: u16 = 0x500;

const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
/// IFA_F_PERMANENT: an address without a lifetime.
const PERMANENT: u8 = 0x80;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
/// RTNH_F_ONLINK: the gateway is on the link, although no route leads to it.
const ON_LINK: u32 = 4;

/// A nested attribute: IFLA_INFO_KIND is `bridge`.
const KIND_BRIDGE: &[u8] = b"\x0a\0\x01\0bridge";

const UP: u32 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;

/// The lifetime of an address that is not leased.
pub(super) const FOR_EVER: u32 = u32::MAX;

/// The kernel's network configuration.
pub(super) struct Changes(Netlink);

impl Changes {
    pub(super) fn open() -> Result<Self> {
        Netlink::open(ROUTE).map(Self)
    }

    /// For questions, too: each answer is read to its end.
    pub(super) fn socket(&self) -> &Netlink {
        &self.0
    }

    /// Adds a bridge, unless it exists.
    pub(super) fn add_bridge(&self, name: &[u8], mtu: Option<u32>) -> Result<()> {
        let mut message = Message::new(NEW_LINK, REQUEST | ACKNOWLEDGE | CREATE_ONLY);
        message.put(&[0; 16]);
        message.attribute(IFLA_IFNAME, name);
        if let Some(mtu) = mtu {
            message.attribute(IFLA_MTU, &mtu.to_ne_bytes());
        }
        message.attribute(IFLA_LINKINFO, KIND_BRIDGE);
        self.change(&mut message)
    }

    pub(super) fn set_up(&self, index: u32) -> Result<()> {
        self.change(&mut link(index, UP))
    }

    pub(super) fn set_mtu(&self, index: u32, mtu: u32) -> Result<()> {
        let mut message = link(index, 0);
        message.attribute(IFLA_MTU, &mtu.to_ne_bytes());
        self.change(&mut message)
    }

    /// Adds an address, unless it exists. `lifetime` is in seconds; an existing address with one is renewed.
    pub(super) fn add_address(
        &self,
        index: u32,
        address: IpAddr,
        prefix: u8,
        lifetime: u32,
    ) -> Result<()> {
        let create = if lifetime == FOR_EVER {
            CREATE_ONLY
        } else {
            REPLACE
        };
        let mut message = Message::new(NEW_ADDRESS, REQUEST | ACKNOWLEDGE | create);
        message.put(&[family(address), prefix, 0, 0]);
        message.put(&index.to_ne_bytes());
        attribute(&mut message, IFA_LOCAL, address);
        attribute(&mut message, IFA_ADDRESS, address);
        if let IpAddr::V4(address) = address
            && prefix < 31
        {
            let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let broadcast = address.to_bits() | host_bits;
            message.attribute(IFA_BROADCAST, &broadcast.to_be_bytes());
        }
        if lifetime != FOR_EVER {
            // struct ifa_cacheinfo: preferred and valid lifetime, times of creation and change.
            let times = [lifetime, lifetime, 0, 0].map(u32::to_ne_bytes);
            message.attribute(IFA_CACHEINFO, times.as_flattened());
        }
        self.change(&mut message)
    }

    /// Removes the interface's IPv4 addresses that have a lifetime, except `keep`.
    pub(super) fn remove_leased(&self, index: u32, keep: Option<Ipv4Addr>) -> Result<()> {
        let mut message = Message::new(GET_ADDRESS, REQUEST | DUMP);
        message.put(&[INET, 0, 0, 0, 0, 0, 0, 0]);
        self.0.send(&mut message)?;
        let mut buffer = [0; 8192];
        let mut leased: Vec<(u8, [u8; 4]), 8> = Vec::new();
        let mut done = false;
        while !done {
            for (kind, body) in messages(receive(self.0.as_fd(), &mut buffer)?) {
                done |= kind == DONE;
                let (Some([_, prefix, flags, _]), Some(of)) = (body.first_chunk(), word(body, 4))
                else {
                    continue;
                };
                if kind != NEW_ADDRESS || of != index || flags & PERMANENT != 0 {
                    continue;
                }
                let local = attributes(body.get(8..).unwrap_or_default())
                    .find(|(kind, _)| *kind == IFA_LOCAL);
                if let Some((_, local)) = local
                    && let Ok(local) = local.try_into()
                    && keep.is_none_or(|keep| keep.octets() != local)
                {
                    let _ = leased.push((*prefix, local));
                }
            }
        }
        for (prefix, local) in &leased {
            let mut message = Message::new(DELETE_ADDRESS, REQUEST | ACKNOWLEDGE);
            message.put(&[INET, *prefix, 0, 0]);
            message.put(&index.to_ne_bytes());
            message.attribute(IFA_LOCAL, local);
            self.change(&mut message)?;
        }
        Ok(())
    }

    /// Adds the default route. A gateway that no route leads to is taken as on the link: hosting companies use such
    /// gateways.
    pub(super) fn add_default_route(&self, index: u32, gateway: IpAddr) -> Result<()> {
        self.add_route(index, None, Some(gateway))
    }

    /// Adds a route, unless it exists. Without a gateway it leads to the link itself.
    pub(super) fn add_route(
        &self,
        index: u32,
        to: Option<(IpAddr, u8)>,
        gateway: Option<IpAddr>,
    ) -> Result<()> {
        match self.change(&mut route(index, to, gateway, 0)) {
            Err(Errno::NETUNREACH | Errno::HOSTUNREACH) => {
                self.change(&mut route(index, to, gateway, ON_LINK))
            }
            outcome => outcome,
        }
    }

    /// Sends the request; that the object exists already is no error.
    fn change(&self, message: &mut Message) -> Result<()> {
        match self.0.request(message) {
            Err(Errno::EXIST) => Ok(()),
            outcome => outcome,
        }
    }
}

/// struct ifinfomsg.
fn link(index: u32, up: u32) -> Message {
    let mut message = Message::new(NEW_LINK, REQUEST | ACKNOWLEDGE);
    message.put(&[0; 4]);
    message.put(&index.to_ne_bytes());
    message.put(&up.to_ne_bytes());
    message.put(&up.to_ne_bytes());
    message
}

/// struct rtmsg, with its attributes.
fn route(index: u32, to: Option<(IpAddr, u8)>, gateway: Option<IpAddr>, flags: u32) -> Message {
    const MAIN_TABLE: u8 = 254;
    const BY_BOOT: u8 = 3;
    const EVERYWHERE: u8 = 0;
    const LINK: u8 = 253;
    const UNICAST: u8 = 1;
    let either = gateway.or(to.map(|(address, _)| address));
    let family = either.map_or(INET, family);
    let prefix = to.map_or(0, |(_, prefix)| prefix);
    let scope = if gateway.is_some() { EVERYWHERE } else { LINK };
    let mut message = Message::new(NEW_ROUTE, REQUEST | ACKNOWLEDGE | CREATE_ONLY);
    message.put(&[family, prefix, 0, 0, MAIN_TABLE, BY_BOOT, scope, UNICAST]);
    message.put(&flags.to_ne_bytes());
    if let Some((to, 1..)) = to {
        attribute(&mut message, RTA_DST, to);
    }
    if let Some(gateway) = gateway {
        attribute(&mut message, RTA_GATEWAY, gateway);
    }
    message.attribute(RTA_OIF, &index.to_ne_bytes());
    message
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

fn attribute(message: &mut Message, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => message.attribute(kind, &address.octets()),
        IpAddr::V6(address) => message.attribute(kind, &address.octets()),
    }
}
