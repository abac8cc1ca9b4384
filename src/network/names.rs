//! The host's name and its name servers. What is there stays, except where a setting or the kernel's words ask.

use super::{BY_KERNEL, each_ip};
use crate::{
    error::Step,
    fs::{self, Root},
    launch::{Context, Launch, Outcome},
    netlink::Netlink,
    settings::Role,
    text::{Decimal, Text, fields, list, trim},
};
use core::ffi::CStr;
use rustix::{fd::AsFd, system::sethostname};

/// An address in decimal: four numbers and three dots.
type Dotted = Text<17>;
/// What resolv.conf may hold.
type Servers = Text<256>;

pub(super) fn configure(launch: &Launch<'_>) -> Outcome<()> {
    let (mut name, mut servers) = (Text::<65>::new(), Servers::new());
    let mut fits = Ok(());
    each_ip(launch, &mut |ip| {
        // A hostname of ip= was checked to fit.
        name = Text::of(&[ip.hostname]).unwrap_or(name);
        for server in ip.dns.iter().flatten() {
            fits = fits.and(add(&mut servers, dotted(*server).as_bytes()));
        }
        Ok(())
    })?;
    host_name(launch, name.as_bytes())?;
    let asked = launch.settings.dns.to_bytes();
    if !asked.is_empty() {
        servers = Servers::new();
        fits = list(asked).try_for_each(|server| add(&mut servers, server));
    }
    if servers.as_bytes().is_empty() {
        fits = from_kernel(&mut servers);
    }
    if fits.is_err() {
        let reason = "the name servers do not fit into 256 bytes";
        return Err(launch.said(Step::Network, asked, reason));
    }
    write(launch, servers.as_bytes())
}

/// The setting's, that of `ip=`; on the machine that of /etc/hostname, or one made of the network card's address.
fn host_name(launch: &Launch<'_>, from_ip: &[u8]) -> Outcome<()> {
    let (mut buffer, made) = ([0; 256], from_card());
    let name = match (launch.settings.hostname.to_bytes(), from_ip, launch.role) {
        (b"", b"", Role::Container) => return Ok(()),
        (b"", b"", Role::Machine) => {
            match fs::read_small(c"/etc/hostname", &mut buffer).map(trim) {
                Ok(b"") | Err(_) => made.as_bytes(),
                Ok(name) => name,
            }
        }
        (b"", name, _) | (name, _, _) => name,
    };
    sethostname(name).map_err(|errno| launch.refused(Step::Network, name, errno))
}

/// `docker-` and the last three bytes of the first Ethernet interface's address; `docker` without one.
fn from_card() -> Text<16> {
    let mut name = Text::of(&[b"docker"]).unwrap_or(Text::new());
    if let Ok(link) = Netlink::find(b"", 0, || ()) {
        let [_, _, _, last @ ..] = link.address;
        let _ = name.push(b"-");
        for digit in last.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            let letter = b"0123456789abcdef".get(usize::from(digit));
            let _ = name.push(letter.map_or(b"", core::slice::from_ref));
        }
    }
    name
}

fn add(servers: &mut Servers, server: &[u8]) -> Result<(), crate::text::TooLong> {
    servers.push(b"nameserver ")?;
    servers.push(server)?;
    servers.push(b"\n")
}

/// The kernel writes its lease as lines of resolv.conf and comments (net/ipv4/ipconfig.c).
fn from_kernel(servers: &mut Servers) -> Result<(), crate::text::TooLong> {
    let mut buffer = [0; 1024];
    let lease = fs::read_small(BY_KERNEL, &mut buffer).unwrap_or_default();
    for line in fields(lease, b'\n') {
        if line.starts_with(b"nameserver ") || line.starts_with(b"domain ") {
            servers.push(line)?;
            servers.push(b"\n")?;
        }
    }
    Ok(())
}

/// /etc/resolv.conf anew, where servers are named. Docker's own bind mount of it is written in place.
fn write(launch: &Launch<'_>, servers: &[u8]) -> Outcome<()> {
    const FILE: &CStr = c"/etc/resolv.conf";
    if servers.is_empty() {
        return Ok(());
    }
    let etc = Root::open(c"/")
        .and_then(|root| root.directory(c"/etc"))
        .at(launch, Step::Network, c"/etc")?;
    fs::replace(etc.as_fd(), c"resolv.conf", servers).at(launch, Step::Network, FILE)
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
