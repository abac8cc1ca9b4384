//! Configures the network over netlink: sets lo up, then applies DOCKER_LAUNCH_IP, else the kernel command line, unless a
//! kernel with IP_PNP has done so already. Existing configuration stays. Then the host name and the name servers.
//!
//! A failure is a warning: the engine starts, so that somebody can look into it.

mod bridge;
mod changes;
mod dhcp;
mod lease;
mod line;
mod links;
mod names;
mod routes;

pub use lease::lease;

use crate::{
    docker::{command::Command, config::Config},
    error::Step,
    fs,
    kernel::requests::END_REQUESTED,
    launch::{Context, Failed, Launch, Outcome},
    settings::{Role, ip::Ip},
    text::{Decimal, Text},
};
use changes::{Changes, FOR_EVER};
use core::cell::{Cell, OnceCell};
use links::{Link, Which};
use names::Names;
use rustix::io::{self, Errno};

/// The loopback interface is the first of every network namespace.
const LO: u32 = 1;
/// How long a network card may take to appear, in seconds.
const APPEARS: u64 = 10;

#[inline(never)] // smaller
pub(crate) fn configure(
    launch: &Launch<'_>,
    command: &mut Command<'_>,
    config: &Config,
) -> Outcome<()> {
    let changes = Changes::open().at(launch, Step::Network, c"netlink")?;
    if let Err(errno) = changes.set_up(LO) {
        launch.warn_of(Step::Network, b"lo", errno);
    }
    let mut names = Names::new();
    let network = Network {
        launch,
        command,
        changes: &changes,
        had_default_route: OnceCell::new(),
        given_up: Cell::new(false),
    };
    match &launch.settings.ip {
        Some(ip) => network.take(ip, &mut names),
        None if launch.role == Role::Machine => line::follow(&network, &mut names),
        None => {} // the command line is the host's
    }
    if network.given_up.get() {
        return Err(Failed);
    }
    let first = network.keep_advertised_routes();
    names.configure(launch, first.as_ref());
    bridge::make(launch, command, config, &changes)?;
    launch.log.debug("the network is configured", &[]);
    Ok(())
}

/// The state while the `ip=` parameters are applied.
struct Network<'n> {
    launch: &'n Launch<'n>,
    command: &'n Command<'n>,
    changes: &'n Changes,
    /// Read before the first `ip=` is applied: the kernel, an outer engine or an earlier launch has configured the network.
    had_default_route: OnceCell<bool>,
    /// A shutdown was requested during the wait for an interface: the launch's error says so.
    given_up: Cell<bool>,
}

impl Network<'_> {
    /// Applies it, except the names, which follow later.
    fn take(&self, ip: &Ip<'_>, names: &mut Names) {
        self.had_default_route();
        names.take(ip);
        if self.follow(ip, names).is_err() && !self.given_up.get() {
            self.launch.warn(&self.launch.error());
        }
    }

    fn had_default_route(&self) -> bool {
        let read = || routes::has_default(self.launch.log);
        *self.had_default_route.get_or_init(read)
    }

    fn follow(&self, ip: &Ip<'_>, names: &Names) -> Outcome<()> {
        if ip.dhcp {
            return dhcp::ask(self, ip, names);
        }
        let Some(address) = ip.address else {
            return Ok(());
        };
        let Some(link) = self.find(ip.device)? else {
            return Ok(());
        };
        let refused = |subject: &[u8], errno| self.launch.refused(Step::Network, subject, errno);
        let name = link.name.as_bytes();
        let added = self.changes.set_up(link.index).and_then(|()| {
            self.changes
                .add_address(link.index, address, ip.prefix, FOR_EVER)
        });
        added.map_err(|errno| refused(name, errno))?;
        if let Some(gateway) = ip.gateway {
            let added = self.changes.add_default_route(link.index, gateway);
            added.map_err(|errno| {
                let subject = Text::<64>::fitting(&[b"default route through ", name]);
                refused(subject.as_bytes(), errno)
            })?;
        }
        self.keep_advertised_route(&link);
        Ok(())
    }

    /// The interface of that name; without a name the card that the machine booted from, else the first. `None` if it does
    /// not appear: a warning lists the interfaces that exist.
    fn find(&self, name: &[u8]) -> Outcome<Option<Link>> {
        if !name.is_empty() {
            return self.wait_for(Which::Named(name), name);
        }
        if let Some(address) = self.boot_card()
            && let Some(link) = self.wait_for(Which::Card(address), b"the card of BOOTIF=")?
        {
            return Ok(Some(link));
        }
        self.wait_for(Which::First, b"the first Ethernet interface")
    }

    fn boot_card(&self) -> Option<[u8; 6]> {
        match self.launch.role {
            Role::Machine => line::boot_card(self.launch.log),
            Role::Container => None,
        }
    }

    fn wait_for(&self, which: Which<'_>, called: &[u8]) -> Outcome<Option<Link>> {
        let mut found = links::find(which);
        if found == Err(Errno::TIMEDOUT) {
            let limit = Decimal::new(APPEARS);
            let limit = limit.as_bytes();
            let log = &self.launch.log;
            log.line("waiting for {}, up to {} s", &[called, limit]);
            found = links::wait_for(&self.launch.requests, which, APPEARS);
        }
        match found {
            Ok(link) => Ok(Some(link)),
            Err(Errno::TIMEDOUT) => {
                self.tell_what_is_there(called);
                Ok(None)
            }
            Err(Errno::CANCELED) => {
                self.given_up.set(true);
                Err(self.launch.failed(Step::Network, called, END_REQUESTED))
            }
            Err(errno) => Err(self.launch.refused(Step::Network, called, errno)),
        }
    }

    fn tell_what_is_there(&self, missing: &[u8]) {
        let mut there: Text<192> = Text::new();
        let listed = links::each(&mut |link| {
            if link.index != LO {
                let comma: &[u8] = if there.as_bytes().is_empty() {
                    b""
                } else {
                    b", "
                };
                let _ = there.push(comma).and(there.push(link.name.as_bytes()));
            }
        });
        if listed.is_err() || there.as_bytes().is_empty() {
            let _ = there.push(b"only lo");
        }
        self.launch.log.warning("network {}: no such interface after 10 s; there is {}; name one of them, or add its driver's module to DOCKER_LAUNCH_MODULES", &[missing, there.as_bytes()]);
    }

    /// dockerd turns on forwarding for its networks. The kernel then drops the routes from router advertisements on an
    /// interface, unless its accept_ra is 2 (Documentation/networking/ip-sysctl.rst). Returns the first of the cards.
    fn keep_advertised_routes(&self) -> Option<Link> {
        let mut first = None;
        let each = links::each_uplink(&mut |link| {
            first.get_or_insert(*link);
            self.keep_advertised_route(link);
        });
        match each {
            Ok(()) | Err(Errno::TIMEDOUT) => {} // there is no card
            Err(errno) => self.launch.warn_of(Step::Network, b"accept_ra", errno),
        }
        first
    }

    fn keep_advertised_route(&self, link: &Link) {
        match accept_advertisements(link.name.as_bytes()) {
            // Without IPv6 the file is missing. In a container it may be read-only.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ROFS | Errno::ACCESS) if self.launch.role == Role::Container => {}
            Err(errno) => {
                let subject = Text::<64>::fitting(&[b"accept_ra of ", link.name.as_bytes()]);
                self.launch
                    .warn_of(Step::Network, subject.as_bytes(), errno);
            }
        }
    }
}

/// Changes only the kernel's default: an operator may have turned advertisements off.
fn accept_advertisements(name: &[u8]) -> io::Result<()> {
    let path = Text::<64>::fitting(&[b"/proc/sys/net/ipv6/conf/", name, b"/accept_ra"]);
    let path = path.as_c_str();
    let mut now = [0; 8];
    if fs::read_small(path, &mut now)? != b"1\n" {
        return Ok(());
    }
    fs::write_word(path, b"2")
}
