//! Names and addresses, by netlink: lo up, a static address and route, name servers, the host name. What is there stays.

use crate::{
    error::Step,
    fs::{self, Root},
    launch::{Context, Launch, Outcome},
    netlink::Netlink,
    settings::Role,
    text::{Decimal, Text, list, trim},
};
use core::ffi::CStr;
use rustix::{fd::AsFd, system::sethostname};

/// The loopback interface is the first of every network namespace.
const LO: u32 = 1;
/// How long a network card may take to appear, in seconds.
const LIMIT: u64 = 10;
/// An address in decimal: four numbers and three dots.
type Dotted = Text<17>;

pub(crate) fn configure(launch: &Launch<'_>) -> Outcome<()> {
    name(launch)?;
    addresses(launch)?;
    name_servers(launch)?;
    launch.log.debug(&[b"the network is configured"]);
    Ok(())
}

/// The setting's host name, or that of `ip=`; on the machine that of /etc/hostname, too.
fn name(launch: &Launch<'_>) -> Outcome<()> {
    let mut buffer = [0; 256];
    let from_ip = launch.settings.ip.map(|ip| ip.hostname).unwrap_or_default();
    let name = match (launch.settings.hostname.to_bytes(), from_ip, launch.role) {
        (b"", b"", Role::Container) => return Ok(()),
        (b"", b"", Role::Machine) => fs::read_small(c"/etc/hostname", &mut buffer)
            .map(trim)
            .unwrap_or_default(),
        (b"", name, _) | (name, _, _) => name,
    };
    if name.is_empty() {
        return Ok(());
    }
    sethostname(name).map_err(|errno| launch.refused(Step::Network, name, errno))
}

fn addresses(launch: &Launch<'_>) -> Outcome<()> {
    let netlink = Netlink::open().at(launch, Step::Network, c"netlink")?;
    netlink.set_up(LO).at(launch, Step::Network, c"lo")?;
    let Some(ip) = launch.settings.ip else {
        return Ok(());
    };
    let device = if ip.device.is_empty() {
        b"the first Ethernet interface"
    } else {
        ip.device
    };
    let failed = |errno| launch.refused(Step::Network, device, errno);
    let waiting = || {
        launch.log.line(&[
            b"waiting for ",
            device,
            b", up to ",
            Decimal::new(LIMIT).as_bytes(),
            b" s",
        ])
    };
    let index = match Netlink::find(ip.device, LIMIT, waiting) {
        Err(rustix::io::Errno::TIMEDOUT) => {
            let reason = "no such interface after 10 s; name the module of its driver in DOCKER_LAUNCH_MODULES";
            return Err(launch.said(Step::Network, device, reason));
        }
        found => found.map_err(failed)?,
    };
    netlink.set_up(index).map_err(failed)?;
    netlink
        .add_address(index, ip.address, ip.prefix)
        .map_err(failed)?;
    ip.gateway
        .map_or(Ok(()), |gateway| netlink.add_default_route(index, gateway))
        .map_err(failed)
}

/// /etc/resolv.conf anew, where a setting names servers. Docker's own bind mount of it is written in place.
fn name_servers(launch: &Launch<'_>) -> Outcome<()> {
    const FILE: &CStr = c"/etc/resolv.conf";
    let mut text = Text::<256>::new();
    let mut add = |server: &[u8]| {
        text.push(b"nameserver ")
            .and_then(|()| text.push(server))
            .and_then(|()| text.push(b"\n"))
    };
    let from_ip = launch.settings.ip.map(|ip| ip.dns).unwrap_or_default();
    let added = match launch.settings.dns.to_bytes() {
        b"" => from_ip
            .iter()
            .flatten()
            .try_for_each(|address| add(dotted(*address).as_bytes())),
        servers => list(servers).try_for_each(add),
    };
    if added.is_err() {
        return Err(launch.said(
            Step::Network,
            launch.settings.dns.to_bytes(),
            "the name servers do not fit into 256 bytes",
        ));
    }
    if text.as_bytes().is_empty() {
        return Ok(());
    }
    let etc = Root::open(c"/")
        .and_then(|root| root.directory(c"/etc"))
        .at(launch, Step::Network, c"/etc")?;
    fs::replace(etc.as_fd(), c"resolv.conf", text.as_bytes()).at(launch, Step::Network, FILE)
}

#[inline(never)] // smaller
fn dotted([a, b, c, d]: [u8; 4]) -> Dotted {
    let [a, b, c, d] = [a, b, c, d].map(|number| Decimal::new(number.into()));
    Dotted::of(&[
        a.as_bytes(),
        b".",
        b.as_bytes(),
        b".",
        c.as_bytes(),
        b".",
        d.as_bytes(),
    ])
    .unwrap_or(Dotted::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for address in [[0, 0, 0, 0], [10, 0, 2, 15], [255, 255, 255, 255]] {
            assert_eq!(
                crate::ip::address(dotted(address).as_bytes()),
                Some(address)
            );
        }
    }
}
