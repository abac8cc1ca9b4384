//! IPv4 configuration as the kernel writes it: `ip=client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1`
//! (Documentation/admin-guide/nfs/nfsroot.rst), or shorter `address/prefix`, also in place of the client field, or `dhcp`.
//!
//! Every field is checked here, so that a wrong one is told before anything is touched.

use crate::text::{fields, number, split_once};

/// An IPv4 configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ip<'a> {
    /// The address, in network order; `None`: by DHCP.
    pub address: Option<[u8; 4]>,
    /// How many leading bits of the address are the network's: 0 to 32.
    pub prefix: u8,
    /// Where the default route goes.
    pub gateway: Option<[u8; 4]>,
    /// The machine's name; empty: not given.
    pub hostname: &'a [u8],
    /// The interface, at most 15 bytes; empty: the first Ethernet one.
    pub device: &'a [u8],
    /// Name servers.
    pub dns: [Option<[u8; 4]>; 2],
}

impl<'a> Ip<'a> {
    /// Reads the kernel's syntax. The error says in words which field is wrong.
    pub fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        let mut fields = fields(text, b':');
        let mut next = || fields.next().unwrap_or_default();
        let (client, prefix) = split_once(next(), b'/');
        let _boot_server = next();
        let (gateway, netmask, hostname, device, autoconf) =
            (next(), next(), next(), next(), next());
        let (dns0, dns1, _time_server) = (next(), next(), next());

        // The protocol alone, or in its own field; an address beside it is what the kernel would overwrite.
        let dynamic = |protocol: &[u8]| matches!(protocol, b"dhcp" | b"on" | b"any" | b"both");
        if !dynamic(autoconf) && !matches!(autoconf, b"" | b"off" | b"none" | b"static") {
            return Err("its autoconf is neither dhcp nor off");
        }
        let by_dhcp = dynamic(client) || dynamic(autoconf);
        let address = if by_dhcp { None } else { address(client) };
        if address.is_none() && !by_dhcp {
            return Err(
                "its client address is not four numbers up to 255, as in 10.0.2.15, nor dhcp",
            );
        }
        let prefix = match (prefix, netmask) {
            (Some(bits), b"") => number(bits)
                .and_then(|bits| u8::try_from(bits).ok())
                .filter(|bits| *bits <= 32),
            (None, b"") => Some(address.map_or(0, class_prefix)),
            (None, mask) => mask_prefix(mask),
            (Some(_), _) => None,
        };
        let ip = Self {
            address,
            prefix: prefix.ok_or("its netmask is neither /0 to /32 nor a mask as 255.255.255.0")?,
            gateway: optional(gateway).ok_or("its gateway is not four numbers up to 255")?,
            hostname,
            device,
            dns: [
                optional(dns0).ok_or("its first name server is not four numbers up to 255")?,
                optional(dns1).ok_or("its second name server is not four numbers up to 255")?,
            ],
        };
        if !is_hostname(hostname) {
            return Err("its hostname is not 1 to 64 letters, digits, dots and dashes");
        }
        if device.len() > 15 || device.contains(&b'/') {
            return Err("its device is not the name of an interface, at most 15 bytes");
        }
        Ok(ip)
    }
}

/// Four decimal numbers up to 255 with dots between them.
pub(crate) fn address(text: &[u8]) -> Option<[u8; 4]> {
    let mut numbers = fields(text, b'.').map(|part| {
        number(part)
            .filter(|_| part.len() <= 3)
            .and_then(|value| u8::try_from(value).ok())
    });
    let address = [
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
    ];
    numbers.next().is_none().then_some(address)
}

/// At most the 64 bytes of sethostname(2), of letters, digits, dots and dashes; empty counts as not given.
pub(crate) fn is_hostname(name: &[u8]) -> bool {
    name.len() <= 64
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn optional(text: &[u8]) -> Option<Option<[u8; 4]>> {
    if text.is_empty() {
        Some(None)
    } else {
        address(text).map(|address| (address != [0; 4]).then_some(address))
    }
}

/// A netmask's ones, if they come first.
fn mask_prefix(mask: &[u8]) -> Option<u8> {
    let mask = u32::from_be_bytes(address(mask)?);
    (mask.leading_ones() + mask.trailing_zeros() == 32 || mask == u32::MAX)
        .then_some(mask.leading_ones() as u8)
}

/// The kernel's guess for an address without a netmask: its class (net/ipv4/ipconfig.c).
fn class_prefix([first, ..]: [u8; 4]) -> u8 {
    match first {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, net::Ipv4Addr, string::ToString, vec::Vec};

    #[test]
    fn the_kernels_syntax() {
        let ip = Ip::parse(b"10.0.2.15::10.0.2.2:255.255.255.0:box:eth0:off:10.0.2.3").unwrap();
        assert_eq!(
            (ip.address, ip.prefix, ip.gateway),
            (Some([10, 0, 2, 15]), 24, Some([10, 0, 2, 2]))
        );
        assert_eq!((ip.hostname, ip.device), (&b"box"[..], &b"eth0"[..]));
        assert_eq!(ip.dns, [Some([10, 0, 2, 3]), None]);
    }

    #[test]
    fn an_address_alone_has_the_prefix_it_says_or_its_class() {
        for (text, prefix) in [
            ("192.168.1.2/28", 28),
            ("10.1.1.1", 8),
            ("172.16.0.1", 16),
            ("192.168.1.2", 24),
            ("1.2.3.4/0", 0),
        ] {
            assert_eq!(Ip::parse(text.as_bytes()).unwrap().prefix, prefix, "{text}");
        }
    }

    #[test]
    fn dhcp_alone_or_in_its_field() {
        for text in ["dhcp", "on", ":::::eth0:dhcp", "10.0.2.15:::::eth0:any"] {
            let ip = Ip::parse(text.as_bytes()).unwrap();
            assert_eq!(ip.address, None, "{text}");
            assert!(ip.device.is_empty() || ip.device == b"eth0", "{text}");
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (text, word) in [
            ("10.0.2", "client address"),
            ("10.0.2.256", "client address"),
            ("", "client address"),
            ("10.0.2.15/33", "netmask"),
            ("10.0.2.15::10.0.2.2:255.0.255.0", "netmask"),
            ("10.0.2.15/8::10.0.2.2:255.0.0.0", "netmask"),
            ("10.0.2.15::x:255.0.0.0", "gateway"),
            ("10.0.2.15::::a_b", "hostname"),
            ("10.0.2.15:::::a-name-of-15-by", ""),
            ("10.0.2.15:::::a-name-of-16-byte-or-more", "device"),
            ("10.0.2.15::::::bootp", "autoconf"),
            ("off", "client address"),
            ("10.0.2.15:::::::1.2.3", "first name server"),
            ("10.0.2.15::::::::1.2.3", "second name server"),
        ] {
            let outcome = Ip::parse(text.as_bytes());
            assert_eq!(word.is_empty(), outcome.is_ok(), "{text}");
            assert!(outcome.err().unwrap_or_default().contains(word), "{text}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "([0-9]{1,4}\\.){2,4}[0-9]{0,3}") {
            let leading_zero = text.split('.').any(|part| part.len() > 1 && part.starts_with('0'));
            prop_assume!(!leading_zero);
            prop_assert_eq!(address(text.as_bytes()), text.parse::<Ipv4Addr>().ok().map(|ip| ip.octets()));
        }

        #[test]
        fn what_is_written_is_read(bits: [u8; 4], prefix in 0..=32_u8) {
            let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).to_string();
            let text = format!("{}:::{mask}", Ipv4Addr::from(bits));
            let ip = Ip::parse(text.as_bytes()).unwrap();
            prop_assert_eq!((ip.address, ip.prefix), (Some(bits), prefix));
        }

        #[test]
        fn any_bytes_are_judged(text: Vec<u8>) {
            let _ = Ip::parse(&text);
        }
    }
}
