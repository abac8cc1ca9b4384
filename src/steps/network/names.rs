//! The host name and the name servers. Existing ones stay, unless a setting or the kernel command line asks for others.

use super::links::Link;
use crate::{
    error::Step,
    fs::{self, Lookup, Root},
    launch::Launch,
    settings::{Role, ip::Ip},
    steps::files,
    text::{Decimal, Text, fields, hexadecimal, list, split_once, words},
};
use core::{ffi::CStr, net::IpAddr};
use rustix::{
    fd::AsFd,
    system::{setdomainname, sethostname},
};

/// The result of `ip=` in a kernel with IP_PNP.
const BY_KERNEL: &CStr = c"/proc/net/pnp";

/// The limit of sethostname(2).
const LONGEST: usize = 64;

/// The names, collected before anything is written.
pub(super) struct Names {
    host: Text<65>,
    /// The NIS domain.
    domain: Text<65>,
    /// The lines of resolv.conf.
    servers: Text<1024>,
    /// Whether all lines fit.
    fits: bool,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            host: Text::new(),
            domain: Text::new(),
            servers: Text::new(),
            fits: true,
        }
    }

    /// Takes the names of an `ip=`; the last host name counts.
    pub(super) fn take(&mut self, ip: &Ip<'_>) {
        if !ip.hostname.is_empty() {
            // Their length was checked before.
            let (host, domain) = split_once(ip.hostname, b'.');
            let _ = self.host.set(&[host]);
            let _ = self.domain.set(&[domain.unwrap_or_default()]);
        }
        ip.dns
            .iter()
            .flatten()
            .for_each(|server| self.add_server(*server));
    }

    pub(super) fn has_servers(&self) -> bool {
        !self.servers.as_bytes().is_empty()
    }

    pub(super) fn add_server(&mut self, server: IpAddr) {
        let mut address = Text::<40>::new();
        match server {
            IpAddr::V4(server) => {
                for number in server.octets() {
                    add_part(&mut address, b".", Decimal::new(number.into()).as_bytes());
                }
            }
            // In full: resolv.conf(5) does not need the shortest form.
            IpAddr::V6(server) => {
                for group in server.segments() {
                    let mut digits = [0; 4];
                    hexadecimal(&group.to_be_bytes(), &mut digits);
                    add_part(&mut address, b":", &digits);
                }
            }
        }
        self.add(&[b"nameserver ", address.as_bytes(), b"\n"]);
    }

    /// Adds the whole line or nothing.
    fn add(&mut self, parts: &[&[u8]]) {
        self.fits &= self.servers.push_all(parts).is_ok();
    }

    #[inline(never)] // smaller
    pub(super) fn configure(&mut self, launch: &Launch<'_>, card: Option<&Link>) {
        host_name(launch, self.host.as_bytes(), card);
        let domain = self.domain.as_bytes();
        if !domain.is_empty()
            && let Err(errno) = setdomainname(domain)
        {
            launch.warn_of(Step::Network, domain, errno);
        }
        let asked = launch.settings.dns.to_bytes();
        if !asked.is_empty() {
            (self.servers, self.fits) = (Text::new(), true);
            for server in list(asked) {
                self.add(&[b"nameserver ", server, b"\n"]);
            }
        }
        if self.servers.as_bytes().is_empty() {
            self.take_from_kernel(launch);
        }
        if !self.fits {
            launch.log.warning(
                "the name servers do not fit into 1,023 bytes: the last are left out",
                &[],
            );
        }
        write(launch, self.servers.as_bytes());
    }

    /// The kernel writes its lease as resolv.conf lines and comments (net/ipv4/ipconfig.c).
    fn take_from_kernel(&mut self, launch: &Launch<'_>) {
        let mut buffer = [0; 1024];
        let lease = fs::read_small(BY_KERNEL, &mut buffer);
        let lease = lease
            .if_exists_or_warn(launch.log, Step::Network, BY_KERNEL)
            .unwrap_or_default();
        for line in fields(lease, b'\n') {
            if line.starts_with(b"nameserver ") || line.starts_with(b"domain ") {
                self.add(&[line, b"\n"]);
            }
        }
    }
}

/// Adds the next number of an address.
fn add_part(address: &mut Text<40>, between: &[u8], number: &[u8]) {
    let between = if address.as_bytes().is_empty() {
        b""
    } else {
        between
    };
    let _ = address.push_all(&[between, number]);
}

/// The host name is the setting's, else that of `ip=`; on the machine also that of /etc/hostname, else one made from the
/// network card's address. Docker needs none, so a failure is a warning.
fn host_name(launch: &Launch<'_>, from_ip: &[u8], card: Option<&Link>) {
    let (mut buffer, made);
    let name = match (launch.settings.hostname.to_bytes(), from_ip, launch.role) {
        (b"", b"", Role::Container) => return,
        (b"", b"", Role::Machine) => {
            buffer = [0; 4096];
            match from_file(launch, &mut buffer) {
                Some(name) => name,
                None => {
                    made = from_card(card);
                    made.as_bytes()
                }
            }
        }
        (b"", name, _) | (name, _, _) => name,
    };
    let fitting = name.get(..LONGEST).unwrap_or(name);
    if fitting.len() < name.len() {
        launch.log.warning(
            "{}: a host name has at most 64 bytes: shortened to {}",
            &[name, fitting],
        );
    }
    if let Err(errno) = sethostname(fitting) {
        launch.warn_of(Step::Network, fitting, errno);
    }
}

/// The first line of hostname(5) that is not a comment, up to the first blank.
fn from_file<'b>(launch: &Launch<'_>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    const FILE: &CStr = c"/etc/hostname";
    let file = fs::read_small(FILE, buffer).if_exists_or_warn(launch.log, Step::Network, FILE)?;
    host_of(file)
}

fn host_of(file: &[u8]) -> Option<&[u8]> {
    let mut lines = fields(file, b'\n').filter_map(|line| words(line).next());
    lines.find(|name| !name.starts_with(b"#"))
}

/// `docker-` and the last three bytes of the first Ethernet interface's address; `docker` without one.
fn from_card(card: Option<&Link>) -> Text<16> {
    let mut name = Text::fitting(&[b"docker"]);
    if let Some(card) = card {
        let [_, _, _, last @ ..] = card.address;
        let mut digits = [0; 6];
        hexadecimal(&last, &mut digits);
        let _ = name.push_all(&[b"-", &digits]);
    }
    name
}

/// Writes a new /etc/resolv.conf, if there are servers. Docker's bind mount of the file is written in place. Docker starts
/// without it, so a failure is a warning.
pub(super) fn write(launch: &Launch<'_>, servers: &[u8]) {
    const ETC: &CStr = c"/etc";
    const FILE: &CStr = c"resolv.conf";
    if servers.is_empty() {
        return;
    }
    match Root::open(c"/").and_then(|root| root.directory(ETC)) {
        Ok(etc) => files::replace(launch, Step::Network, (etc.as_fd(), ETC), FILE, servers),
        Err(errno) => launch.warn_of(Step::Network, ETC.to_bytes(), errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn writes_name_servers_as_they_were_given() {
        let mut names = Names::new();
        for server in ["1.2.3.4", "10.0.2.3", "255.255.255.255"] {
            let ip = std::format!("dhcp::::box:::{server}");
            names.take(&Ip::parse(ip.as_bytes()).unwrap());
        }
        let written = names.servers;
        assert!(names.fits);
        let lines = "nameserver 1.2.3.4\nnameserver 10.0.2.3\nnameserver 255.255.255.255\n";
        assert_eq!(written.as_bytes(), lines.to_string().as_bytes());
        assert_eq!(names.host.as_bytes(), b"box");
    }

    #[test]
    fn c6_reads_the_file_as_hostname_5_describes() {
        for (file, name) in [
            ("box\n", Some("box")),
            (
                "# made by hand\n\n  box.example  \nother\n",
                Some("box.example"),
            ),
            ("#box", None),
            ("\n \n", None),
            ("box # the left one", Some("box")),
            ("box", Some("box")),
            ("\r\nbox\r\n", Some("box")),
        ] {
            let found = host_of(file.as_bytes());
            assert_eq!(found, name.map(str::as_bytes), "{file:?}");
        }
    }

    #[test]
    fn a_name_server_that_does_not_fit_is_left_out_whole() {
        let mut names = Names::new();
        for _ in 0..20 {
            names.take(&Ip::parse(b"dhcp:::::::255.255.255.255:255.255.255.255").unwrap());
        }
        assert!(!names.fits);
        let whole = "nameserver 255.255.255.255\n".repeat(37);
        assert_eq!(names.servers.as_bytes(), whole.as_bytes());
    }
}
