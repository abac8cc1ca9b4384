//! This program as udhcpc's script: turns the offer of a DHCP server into an address with a lifetime, routes, the MTU and
//! /etc/resolv.conf. The offer is in the environment, in busybox's format (networking/udhcp/dhcpc.c).
//!
//! The kernel removes an address when its lifetime ends, so a lease that nobody renews goes away.

use super::{
    changes::{Changes, FOR_EVER},
    links::{self, Which},
    names::{self, Names},
};
use crate::{
    error::Step,
    kernel::requests::blocked,
    launch::Launch,
    settings::{Role, Settings, ip::address},
    sys::Strings,
    text::{Text, number, split_once, words},
};
use core::{ffi::CStr, net::IpAddr};
use rustix::io::{Errno, Result};

/// Set in udhcpc's environment, so that this program knows that it runs as the script, and whether to take the lease's name
/// servers.
const NAMES: &CStr = c"DOCKERLAUNCH_LEASE=names";
const ADDRESS: &CStr = c"DOCKERLAUNCH_LEASE=address";

#[derive(Clone, Copy, PartialEq)]
enum Event {
    HasLease,
    HasNone,
    /// The interface keeps what it has.
    Nothing,
}

/// The first argument of udhcpc's script.
const EVENTS: &[(&str, Event)] = &[
    ("bound", Event::HasLease),
    ("deconfig", Event::HasNone),
    ("leasefail", Event::Nothing),
    ("nak", Event::Nothing),
    ("renew", Event::HasLease),
];

/// The minimum MTU of every host (RFC 791, 3.1): less is a mistake of the server.
const LEAST_MTU: u64 = 576;

/// The variable for udhcpc: a lease sets the name servers if no setting or parameter does.
pub(super) fn mark(launch: &Launch<'_>, names: &Names) -> &'static CStr {
    if launch.settings.dns.is_empty() && !names.has_servers() {
        NAMES
    } else {
        ADDRESS
    }
}

/// If udhcpc has started this program as its script, does the script's work and returns the exit status.
#[doc(hidden)]
#[inline(never)] // its stack frame must not stay in main
pub fn lease(mut arguments: Strings<'_>, environment: Strings<'_>) -> Option<u8> {
    let mut variables = environment;
    let mark = variables.find(|variable| [NAMES, ADDRESS].contains(variable))?;
    let name = arguments.next()?.to_bytes();
    let known = EVENTS.iter().find(|(known, _)| known.as_bytes() == name);
    let (_, event) = known?;
    let value = |name: &[u8]| {
        let mut variables = environment;
        variables.find_map(|variable| {
            let (found, value) = split_once(variable.to_bytes(), b'=');
            value.filter(|value| found == name && !value.is_empty())
        })
    };
    let interface = value(b"interface")?;
    let settings = Settings::default();
    // The role does not matter here; for the machine's role the power button would be opened needlessly.
    let status = blocked(&settings, |before| {
        let launch = Launch::new((Role::Container, false), &settings, before);
        let outcome = match event {
            Event::HasLease => apply(&launch, interface, &value),
            Event::HasNone => take_away(interface),
            Event::Nothing => Ok(()),
        };
        if let Err(errno) = outcome {
            launch.warn_of(Step::Network, interface, errno);
            return 1;
        }
        if mark == NAMES && *event == Event::HasLease {
            look_up_names(&launch, &value);
        }
        0
    });
    Some(status)
}

type Value<'v> = dyn Fn(&[u8]) -> Option<&'v [u8]> + 'v;

/// udhcpc starts, or has lost its lease.
fn take_away(interface: &[u8]) -> Result<()> {
    let link = links::find(Which::Named(interface))?;
    let changes = Changes::open()?;
    changes.set_up(link.index)?;
    changes.remove_leased(link.index, None)
}

#[inline(never)] // smaller
fn apply(launch: &Launch<'_>, interface: &[u8], value: &Value<'_>) -> Result<()> {
    let index = links::find(Which::Named(interface))?.index;
    let changes = Changes::open()?;
    let Some(own) = value(b"ip").and_then(address) else {
        return Err(Errno::INVAL);
    };
    let prefix = value(b"mask").and_then(number).filter(|bits| *bits <= 32);
    let lifetime = value(b"lease").and_then(number);
    let lifetime = lifetime.and_then(|seconds| u32::try_from(seconds).ok());
    let warn = |what: &[u8], text: &[u8]| {
        launch
            .log
            .warning("{}: the lease's {} {} is ignored", &[interface, what, text]);
    };

    if let Some(text) = value(b"mtu") {
        let mtu = number(text).filter(|mtu| *mtu >= LEAST_MTU);
        let mtu = mtu.and_then(|mtu| u32::try_from(mtu).ok());
        if mtu.is_none_or(|mtu| changes.set_mtu(index, mtu).is_err()) {
            warn(b"MTU", text);
        }
    }
    changes.remove_leased(index, Some(own))?;
    let prefix = prefix.unwrap_or(32) as u8;
    changes.add_address(index, own.into(), prefix, lifetime.unwrap_or(FOR_EVER))?;

    // Routes replace the router (RFC 3442): it counts only without them.
    let Some(routes) = value(b"staticroutes") else {
        if let Some(router) = value(b"router").and_then(|routers| words(routers).next()) {
            let Some(gateway) = address(router) else {
                return Err(Errno::INVAL);
            };
            changes.add_default_route(index, gateway.into())?;
        }
        return Ok(());
    };
    let mut parts = words(routes);
    while let (Some(network), Some(gateway)) = (parts.next(), parts.next()) {
        if add_route(&changes, index, network, gateway).is_none() {
            warn(b"route", network);
        }
    }
    Ok(())
}

/// `network` is like `10.0.0.0/8`; the gateway 0.0.0.0 means the link itself.
fn add_route(changes: &Changes, index: u32, network: &[u8], gateway: &[u8]) -> Option<()> {
    let (to, prefix) = split_once(network, b'/');
    let prefix = prefix.map_or(Some(32), number).filter(|bits| *bits <= 32)?;
    let gateway = address(gateway)?;
    let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V4(gateway));
    let to = Some((IpAddr::V4(address(to)?), prefix as u8));
    changes.add_route(index, to, gateway).ok()
}

/// Writes resolv.conf(5), if the lease names servers.
fn look_up_names(launch: &Launch<'_>, value: &Value<'_>) {
    let mut lines: Text<1024> = Text::new();
    let mut fits = true;
    let mut add = |parts: &[&[u8]]| fits &= lines.push_all(parts).is_ok();
    if let Some(domains) = value(b"search").or_else(|| value(b"domain"))
        && domains.iter().all(|byte| is_of_domain(*byte))
    {
        add(&[b"search ", domains, b"\n"]);
    }
    let servers = value(b"dns").unwrap_or_default();
    let mut any = false;
    for server in words(servers).filter(|server| address(server).is_some()) {
        add(&[b"nameserver ", server, b"\n"]);
        any = true;
    }
    if !fits {
        launch.log.warning(
            "the lease's domains and name servers do not fit into 1,023 bytes",
            &[],
        );
    } else if any {
        names::write(launch, lines.as_bytes());
    }
}

/// A DHCP server must not be able to add other lines.
fn is_of_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b' ')
}
