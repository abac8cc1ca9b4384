//! Network parameters on the kernel command line: the kernel's own, PXELINUX's, and dracut's, which its users bring along.
//! Each is applied, or ignored with a warning. Every `ip=` counts, while the environment keeps only the last.

use super::{Network, links, links::Which, names::Names};
use crate::{
    error::Step,
    kernel::cmdline::{self, Argument},
    log::Log,
    settings::ip::{Ip, any_address, fields_outside_brackets, hexadecimal_number},
    text::{number, split_once},
};
use core::net::IpAddr;
use heapless::Vec;
use rustix::io::Errno;

#[derive(Clone, Copy)]
enum Meaning {
    /// `ip=`, and its old name in the kernel.
    Ip,
    /// dracut.cmdline(7): `nameserver=ADDRESS`.
    Server,
    /// dracut.cmdline(7): `rd.route=NETWORK/PREFIX:GATEWAY[:INTERFACE]`. Applied once all addresses are set.
    Route,
    /// Would create an interface, which dockerlaunch does not do.
    Refused,
}

const TABLE: &[(&str, Meaning)] = &[
    ("ip", Meaning::Ip),
    ("nfsaddrs", Meaning::Ip),
    ("nameserver", Meaning::Server),
    ("rd.route", Meaning::Route),
    ("bond", Meaning::Refused),
    ("bridge", Meaning::Refused),
    ("ifname", Meaning::Refused),
    ("team", Meaning::Refused),
    ("vlan", Meaning::Refused),
];

fn meaning(argument: &Argument<'_>) -> Option<Meaning> {
    let known = |(name, _): &&(&str, _)| name.as_bytes() == argument.name && !argument.for_init;
    TABLE.iter().find(known).map(|(_, meaning)| *meaning)
}

/// Reads the line a second time if it has routes: they are added once all addresses are set.
pub(super) fn follow(network: &Network<'_>, names: &mut Names) {
    let log = &network.launch.log;
    let mut routes = false;
    for again in [false, true] {
        let read = cmdline::arguments(*log, &mut |argument| {
            let value = argument.value.unwrap_or_default();
            let ignored = |why: &str| {
                let why = why.as_bytes();
                log.warning("{}={} is ignored: {}", &[argument.name, value, why]);
            };
            match meaning(argument) {
                Some(Meaning::Route) if again => follow_route(network, value),
                Some(Meaning::Route) => routes = true,
                _ if again => {}
                Some(Meaning::Ip) => follow_ip(network, argument.name, value, names),
                Some(Meaning::Server) => match server(value) {
                    Some(server) => names.add_server(server),
                    None => ignored("it is not an address"),
                },
                Some(Meaning::Refused) => {
                    ignored(
                        "dockerlaunch creates and renames no interfaces; name a network card in ip=",
                    );
                }
                None => {}
            }
        });
        if let Err(errno) = read {
            let file = cmdline::FILE.to_bytes();
            return network.launch.warn_of(Step::Network, file, errno);
        }
        if !routes {
            return;
        }
    }
}

fn follow_ip(network: &Network<'_>, name: &[u8], text: &[u8], names: &mut Names) {
    if text.is_empty() || text == b"off" || text == b"none" || network.given_up.get() {
        return;
    }
    let log = &network.launch.log;
    let mut last = None;
    let warn = |fault: &str, followed: bool| {
        let rest: &[u8] = if followed {
            b"; the rest of it is used"
        } else {
            b""
        };
        let ignored: &[u8] = if followed { b": " } else { b" is ignored: " };
        log.warning(
            "{}={}{}{}{}",
            &[name, text, ignored, fault.as_bytes(), rest],
        );
    };
    let ip = Ip::read(text, &mut |fault| {
        // If nothing can be applied, the last fault is the reason.
        if let Some(before) = last.replace(fault) {
            warn(before, true);
        }
    });
    if let Some(fault) = last {
        warn(fault, ip.is_some());
    }
    if let Some(ip) = ip {
        network.take(&ip, names);
    }
}

/// Accepts IPv6 without brackets too, as dracut does.
fn server(text: &[u8]) -> Option<IpAddr> {
    any_address(text).or_else(|| crate::settings::ip::address6(text).map(IpAddr::V6))
}

fn follow_route(network: &Network<'_>, text: &[u8]) {
    let log = &network.launch.log;
    let Some((to, prefix, gateway, device)) = route(text) else {
        return log.warning(
            "rd.route={} is ignored: it is not NETWORK/PREFIX:GATEWAY[:INTERFACE]",
            &[text],
        );
    };
    let index = match device {
        b"" => Ok(0),
        name => links::find(Which::Named(name)).map(|link| link.index),
    };
    let added = index.and_then(|index| {
        let to = Some((to, prefix));
        network.changes.add_route(index, to, Some(gateway))
    });
    if let Err(errno) = added {
        let errno = match errno {
            Errno::TIMEDOUT => Errno::NODEV,
            errno => errno,
        };
        network.launch.warn_of(Step::Network, text, errno);
    }
}

/// Network, prefix, gateway, interface.
fn route(text: &[u8]) -> Option<(IpAddr, u8, IpAddr, &[u8])> {
    let mut fields = fields_outside_brackets(text);
    let (to, prefix) = split_once(fields.next()?, b'/');
    let (to, gateway) = (any_address(to)?, any_address(fields.next()?)?);
    let most = if to.is_ipv4() { 32 } else { 128 };
    let prefix = prefix
        .map_or(Some(most), number)
        .filter(|bits| *bits <= most)?;
    let device = fields.next().unwrap_or_default();
    (to.is_ipv4() == gateway.is_ipv4()).then_some((to, prefix as u8, gateway, device))
}

/// The hardware address of the card that PXE booted from: `BOOTIF=01-52-54-00-12-34-56`, where 01 is Ethernet. PXELINUX
/// appends it to the line, so it may be behind `--`. The last one counts.
pub(super) fn boot_card(log: Log) -> Option<[u8; 6]> {
    let mut found = None;
    let read = cmdline::arguments(log, &mut |argument| {
        if argument.name == b"BOOTIF" {
            let value = argument.value.unwrap_or_default();
            found = hardware_address(value);
            if found.is_none() {
                log.warning(
                    "BOOTIF={} is ignored: it is not 01- and six bytes, as in 01-52-54-00-12-34-56",
                    &[value],
                );
            }
        }
    });
    found.filter(|_| read.is_ok()) // follow() has logged why not
}

fn hardware_address(text: &[u8]) -> Option<[u8; 6]> {
    let mut bytes: Vec<u8, 7> = Vec::new();
    for two in text.split(|byte| matches!(byte, b'-' | b':')) {
        let byte = hexadecimal_number(two).filter(|_| two.len() == 2)?;
        bytes.push(byte as u8).ok()?;
    }
    let address = match bytes.len() {
        7 => bytes.strip_prefix(&[1])?,
        _ => &bytes,
    };
    address.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec as Bytes;

    #[test]
    fn f5_parses_the_card_of_pxe() {
        let card = Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        for (text, address) in [
            ("01-52-54-00-12-34-56", card),
            ("52:54:00:12:34:56", card),
            ("01-52-54-00-12-34", Some([1, 0x52, 0x54, 0, 0x12, 0x34])),
            ("20-52-54-00-12-34-56", None),
            ("01-52-54-00-12-34-5x", None),
            ("01-52-54-00-12-34-56-78", None),
            ("eth0", None),
            ("", None),
        ] {
            assert_eq!(hardware_address(text.as_bytes()), address, "{text}");
        }
    }

    #[test]
    fn f5_parses_routes_of_dracut() {
        let parsed = |text: &'static str| {
            let (to, prefix, gateway, device) = route(text.as_bytes())?;
            let device = core::str::from_utf8(device).unwrap();
            Some(std::format!("{to}/{prefix} {gateway} {device}"))
        };
        for (text, expected) in [
            (
                "192.168.200.0/24:192.168.100.222:ens10",
                Some("192.168.200.0/24 192.168.100.222 ens10"),
            ),
            (
                "192.168.200.7:192.168.100.222",
                Some("192.168.200.7/32 192.168.100.222 "),
            ),
            (
                "[2001:db8::]/32:[2001:db8::1]:eth0",
                Some("2001:db8::/32 2001:db8::1 eth0"),
            ),
            ("192.168.200.0/33:192.168.100.222", None),
            ("192.168.200.0/24:[2001:db8::1]", None),
            ("192.168.200.0/24", None),
        ] {
            assert_eq!(parsed(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(text: Bytes<u8>) {
            let _ = (hardware_address(&text), route(&text), server(&text));
        }
    }
}
