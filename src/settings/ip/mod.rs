//! Parses the kernel's `ip=` (net/ipv4/ipconfig.c, Documentation/admin-guide/nfs/nfsroot.rst):
//! `client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1`, or `dhcp`. As in dracut, IPv6 addresses are written in
//! brackets, and a prefix may replace the netmask; `address/prefix` is dockerlaunch's own form.
//!
//! As in the kernel, a static address disables autoconf, and without an address autoconf is on unless its field turns it off.
//! Unlike in the kernel, a wrong field is reported and ignored, and the other fields are used.

mod address;

pub(crate) use address::*;

use crate::text::{number, split_once, words};
use core::net::IpAddr;

/// The configuration of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ip<'a> {
    /// The address; `None`: from DHCP, or none.
    pub address: Option<IpAddr>,
    /// The prefix length: 0 to 32, for IPv6 to 128.
    pub prefix: u8,
    /// The gateway of the default route.
    pub gateway: Option<IpAddr>,
    /// The hostname, and after its first dot the NIS domain; empty: not given.
    pub hostname: &'a [u8],
    /// The interface, at most 15 bytes; empty: the first network card.
    pub device: &'a [u8],
    /// Get the address by DHCP.
    pub dhcp: bool,
    /// The DHCP client identifier: the type and at most 250 bytes, as in `dhcp,1,name` (RFC 2132, 9.14).
    pub client_id: Option<(u8, &'a [u8])>,
    /// Name servers.
    pub dns: [Option<IpAddr>; 2],
}

const CLIENT: &str = "its client address is neither IPv4 (10.0.2.15) nor IPv6 in brackets nor dhcp";
const NETMASK: &str = "its netmask is neither /0 to /32 nor a mask like 255.255.255.0";
const NETMASK6: &str = "its prefix is not /0 to /128";
const GATEWAY: &str = "its gateway is not an address of the client's IP version";
const HOSTNAME: &str = "its hostname is longer than 64 bytes";
const DEVICE: &str = "its device is not the name of an interface, at most 15 bytes";
const AUTOCONF: &str =
    "its autoconf is none of off, none, static, on, any, both, dhcp, bootp, rarp";
const CLIENT_ID: &str = "its client id is not dhcp, a number up to 255, and at most 250 bytes";
const FIRST_DNS: &str = "its first name server is not an address";
const SECOND_DNS: &str = "its second name server is not an address";

impl<'a> Ip<'a> {
    /// Parses the kernel's syntax. The error says which field is wrong.
    pub fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        let mut first = None;
        let ip = Self::read(text, &mut |fault| {
            first.get_or_insert(fault);
        });
        match (ip, first) {
            (_, Some(fault)) => Err(fault),
            (ip, None) => ip.ok_or(CLIENT),
        }
    }

    /// Like [`Ip::parse`], but a wrong field is reported to `fault` and counts as not given. `None`: nothing can be used.
    pub(crate) fn read(text: &'a [u8], fault: &mut dyn FnMut(&'static str)) -> Option<Self> {
        let mut fields = [&b""[..]; 9];
        let given = fields.iter_mut().zip(fields_outside_brackets(text));
        given.for_each(|(field, given)| *field = given);
        let [
            client,
            _boot_server,
            gateway,
            netmask,
            hostname,
            device,
            field,
            dns0,
            dns1,
        ] = &fields;
        let (client, prefix) = split_once(client, b'/');

        let (address, autoconf) = match any_address(client) {
            // `0.0.0.0` counts as not given.
            Some(address) => ((!address.is_unspecified()).then_some(address), *field),
            None if client.is_empty() => (None, *field),
            // Only the protocol.
            None if protocol(client) == Some(true) => (None, client),
            None => {
                fault(CLIENT);
                if protocol(field) != Some(true) {
                    return None;
                }
                (None, *field)
            }
        };
        if text.is_empty() {
            return None;
        }
        if protocol(field).is_none() {
            fault(AUTOCONF);
        }
        let wants_dhcp = protocol(autoconf) == Some(true);
        let dhcp = address.is_none() && (wants_dhcp || autoconf.is_empty());
        let client_id = autoconf.strip_prefix(b"dhcp,").and_then(|id| {
            let read = read_client_id(id);
            if read.is_none() {
                fault(CLIENT_ID);
            }
            read
        });
        if device.len() > 15 || device.contains(&b'/') {
            fault(DEVICE);
            return None; // the interface is unknown
        }
        let mut or_fault = |text: &[u8], wrong| {
            optional(text).unwrap_or_else(|| {
                fault(wrong);
                None
            })
        };
        let like_the_client =
            |gateway: &IpAddr| address.is_none_or(|address| address.is_ipv4() == gateway.is_ipv4());
        let given = or_fault(gateway, GATEWAY);
        let dns = [or_fault(dns0, FIRST_DNS), or_fault(dns1, SECOND_DNS)];
        let gateway = given.filter(like_the_client);
        if gateway != given {
            fault(GATEWAY);
        }
        let (prefix, right) = prefix_of(address, prefix, netmask);
        if !right {
            fault(if address.is_some_and(|address| address.is_ipv6()) {
                NETMASK6
            } else {
                NETMASK
            });
        }
        if hostname.len() > 64 {
            fault(HOSTNAME);
        }
        Some(Self {
            address,
            prefix,
            gateway,
            hostname: hostname.get(..64).unwrap_or(hostname),
            device: *device,
            dhcp,
            client_id,
            dns,
        })
    }
}

/// Whether the autoconf field asks for a protocol; `None` for an unknown word. BOOTP and RARP mean DHCP here.
fn protocol(word: &[u8]) -> Option<bool> {
    let is_one_of = |list| words(list).any(|known| known == word);
    if word.is_empty() || is_one_of(b"off none static") {
        Some(false)
    } else if word.starts_with(b"dhcp,") || is_one_of(b"on any both dhcp bootp rarp") {
        Some(true)
    } else {
        None
    }
}

/// Parses `1,name`.
fn read_client_id(id: &[u8]) -> Option<(u8, &[u8])> {
    let (kind, id) = split_once(id, b',');
    let kind = number(kind).and_then(|kind| u8::try_from(kind).ok())?;
    let id = id.filter(|id| !id.is_empty() && id.len() <= 250)?;
    Some((kind, id))
}

/// The prefix, and whether it was given correctly. Without one it is the address's class, for IPv6 64 bits.
fn prefix_of(address: Option<IpAddr>, prefix: Option<&[u8]>, netmask: &[u8]) -> (u8, bool) {
    let (most, guess) = match address {
        None => (32, 0),
        Some(IpAddr::V4(address)) => (32, class_prefix(address.octets())),
        Some(IpAddr::V6(_)) => (128, 64),
    };
    let bits = |text| {
        number(text)
            .and_then(|bits| u8::try_from(bits).ok())
            .filter(|bits| *bits <= most)
    };
    let mask = || bits(netmask).or_else(|| mask_prefix(netmask).filter(|_| most == 32));
    match prefix {
        None if netmask.is_empty() || netmask == b"0.0.0.0" => (guess, true),
        None => mask().map_or((guess, false), |bits| (bits, true)),
        Some(prefix) => {
            let found = bits(prefix);
            let right = netmask.is_empty() && found.is_some();
            (found.unwrap_or(guess), right)
        }
    }
}

fn optional(text: &[u8]) -> Option<Option<IpAddr>> {
    if text.is_empty() {
        Some(None)
    } else {
        any_address(text).map(|address| (!address.is_unspecified()).then_some(address))
    }
}

/// The prefix length of a netmask whose ones come first.
fn mask_prefix(mask: &[u8]) -> Option<u8> {
    let mask = address(mask)?.to_bits();
    (mask.leading_ones() + mask.trailing_zeros() == 32 || mask == u32::MAX)
        .then_some(mask.leading_ones() as u8)
}

/// The prefix length that the kernel uses without a netmask: the address's class (net/ipv4/ipconfig.c).
fn class_prefix([first, ..]: [u8; 4]) -> u8 {
    match first {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

/// At most 64 bytes (sethostname(2)) of letters, digits, dots and dashes; empty counts as not given.
pub(crate) fn is_hostname(name: &[u8]) -> bool {
    name.len() <= 64
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, net::Ipv4Addr, string::ToString, vec::Vec};

    fn v4(octets: [u8; 4]) -> Option<IpAddr> {
        Some(IpAddr::V4(octets.into()))
    }

    #[test]
    fn all_fields_are_parsed() {
        let ip = Ip::parse(b"10.0.2.15::10.0.2.2:255.255.255.0:box:eth0:off:10.0.2.3").unwrap();
        assert_eq!(
            (ip.address, ip.prefix, ip.gateway),
            (v4([10, 0, 2, 15]), 24, v4([10, 0, 2, 2]))
        );
        assert_eq!((ip.hostname, ip.device), (&b"box"[..], &b"eth0"[..]));
        assert_eq!(ip.dns, [v4([10, 0, 2, 3]), None]);
        assert!(!ip.dhcp);
    }

    #[test]
    fn an_address_has_its_prefix_or_its_class() {
        for (text, prefix) in [
            ("192.168.1.2/28", 28),
            ("10.1.1.1", 8),
            ("172.16.0.1", 16),
            ("192.168.1.2", 24),
            ("1.2.3.4/0", 0),
            ("192.168.1.2:::0.0.0.0", 24),
            ("192.168.1.2:::28", 28),
            ("[2001:db8::2]", 64),
            ("[2001:db8::2]/56", 56),
            ("[2001:db8::2]:::128", 128),
        ] {
            assert_eq!(Ip::parse(text.as_bytes()).unwrap().prefix, prefix, "{text}");
        }
    }

    #[test]
    fn dhcp_is_used_alone_or_in_its_field_or_without_an_address() {
        for text in [
            "dhcp",
            "on",
            "rarp",
            ":::::eth0:dhcp",
            "0.0.0.0:::::eth0:any",
            ":::::eth0",
            "::::box",
        ] {
            let ip = Ip::parse(text.as_bytes()).unwrap();
            assert!(ip.dhcp && ip.address.is_none(), "{text}");
            assert!(ip.device.is_empty() || ip.device == b"eth0", "{text}");
        }
        let ip = Ip::parse(b"::::box:eth0:off").unwrap();
        assert!(!ip.dhcp && ip.address.is_none() && ip.hostname == b"box");
    }

    #[test]
    fn d4_a_static_address_disables_any_protocol() {
        let protocols = "on any both dhcp bootp rarp off none static dhcp,1,x";
        for protocol in protocols.split(' ').chain([""]) {
            let text =
                format!("192.168.1.10:192.168.1.1:192.168.1.1:255.255.255.0:board:eth0:{protocol}");
            let ip = Ip::parse(text.as_bytes()).unwrap();
            assert_eq!(
                (ip.address, ip.dhcp),
                (v4([192, 168, 1, 10]), false),
                "{text}"
            );
        }
    }

    #[test]
    fn d4_a_client_id_is_parsed() {
        for (text, id) in [
            ("dhcp,1,board-7", Some((1, &b"board-7"[..]))),
            (":::::eth0:dhcp,255,a,b", Some((255, b"a,b"))),
            ("dhcp", None),
        ] {
            assert_eq!(Ip::parse(text.as_bytes()).unwrap().client_id, id, "{text}");
        }
        for text in ["dhcp,256,x", "dhcp,1", "dhcp,,x", "dhcp,1,"] {
            assert_eq!(Ip::parse(text.as_bytes()), Err(CLIENT_ID), "{text}");
            assert!(Ip::read(text.as_bytes(), &mut |_| {}).unwrap().dhcp);
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (text, word) in [
            ("10.0.2", "client address"),
            ("10.0.2.256", "client address"),
            ("", "client address"),
            ("[2001:db8::2", "client address"),
            ("2001:db8::2", "client address"),
            ("10.0.2.15/33", "netmask"),
            ("10.0.2.15::10.0.2.2:255.0.255.0", "netmask"),
            ("10.0.2.15/8::10.0.2.2:255.0.0.0", "netmask"),
            ("[2001:db8::2]/129", "prefix"),
            ("[2001:db8::2]:::255.0.0.0", "prefix"),
            ("10.0.2.15::x:255.0.0.0", "gateway"),
            ("10.0.2.15::[2001:db8::1]", "gateway"),
            ("10.0.2.15:::::a-name-of-15-by", ""),
            ("10.0.2.15:::::a-name-of-16-byte-or-more", "device"),
            ("10.0.2.15::::::x", "autoconf"),
            ("off", "client address"),
            ("10.0.2.15:::::::1.2.3", "first name server"),
            ("10.0.2.15::::::::1.2.3", "second name server"),
        ] {
            let outcome = Ip::parse(text.as_bytes());
            assert_eq!(word.is_empty(), outcome.is_ok(), "{text}");
            assert!(outcome.err().unwrap_or_default().contains(word), "{text}");
        }
        let long = format!("10.0.2.15::::{}", "x".repeat(65));
        assert_eq!(Ip::parse(long.as_bytes()), Err(HOSTNAME));
    }

    #[test]
    fn c8_a_wrong_field_is_ignored() {
        for (text, faults) in [
            ("10.0.2.15/24::10.0.2.2::my_board:eth0:off", 0),
            ("10.0.2.15/24::10.0.2.2::Größe 7:eth0:off", 0),
            ("10.0.2.15/24::10.0.2:::eth0:off", 1),
            ("10.0.2.15/24::10.0.2.2:::eth0:maybe", 1),
            ("10.0.2.15/24::10.0.2.2:::eth0:off:dns:10.0.2", 2),
            ("10.0.2.15/24::10.0.2.2:255.255.0.255::eth0:off", 1),
        ] {
            let mut count = 0;
            let ip = Ip::read(text.as_bytes(), &mut |_| count += 1).unwrap();
            let address = (ip.address, ip.prefix, ip.device);
            assert_eq!(address, (v4([10, 0, 2, 15]), 24, &b"eth0"[..]), "{text}");
            assert_eq!(count, faults, "{text}");
        }
    }

    #[test]
    fn ipv6_is_written_in_brackets() {
        let ip = Ip::parse(b"[2001:db8::2]::[2001:db8::1]:64:host:eth0:none:[2001:db8::53]");
        let ip = ip.unwrap();
        let address = |text: &str| Some(IpAddr::V6(text.parse().unwrap()));
        assert_eq!(ip.address, address("2001:db8::2"));
        assert_eq!(ip.gateway, address("2001:db8::1"));
        assert_eq!(ip.dns, [address("2001:db8::53"), None]);
        assert_eq!(
            (ip.prefix, ip.hostname, ip.device),
            (64, &b"host"[..], &b"eth0"[..])
        );
        let short = Ip::parse(b"[2001:db8::2]/64::[2001:db8::1]:::eth0").unwrap();
        assert_eq!((short.address, short.device), (ip.address, ip.device));
    }

    proptest! {
        #[test]
        fn any_address_and_mask_are_parsed(bits: [u8; 4], prefix in 0..=32_u8) {
            let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).to_string();
            let text = format!("{}:::{mask}", Ipv4Addr::from(bits));
            let ip = Ip::parse(text.as_bytes()).unwrap();
            let address = Ipv4Addr::from(bits);
            prop_assert_eq!(ip.address, (!address.is_unspecified()).then_some(address.into()));
            prop_assert!(prefix == 0 || ip.address.is_none() || ip.prefix == prefix);
        }

        #[test]
        fn any_bytes_are_handled(text: Vec<u8>) {
            let _ = Ip::parse(&text);
        }
    }
}
