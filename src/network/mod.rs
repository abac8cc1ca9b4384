//! Addresses, by netlink: lo up; then what DOCKER_LAUNCH_IP says, else what every `ip=` on the kernel command line does
//! that no kernel with IP_PNP has followed already. What is there stays. Then the names.

mod bridge;
mod links;
mod names;

use crate::{
    cmdline,
    command::Command,
    error::Step,
    fs::{self, There},
    ip::Ip,
    launch::{Context, Launch, Outcome},
    requests::ASKED,
    settings::Role,
    text::{Decimal, words},
    tools::{self, AtEnd},
};
use core::ffi::CStr;
use links::{Link, Links};
use names::Names;
use rustix::io::Errno;

const ROUTES: &CStr = c"/proc/net/route";

/// The loopback interface is the first of every network namespace.
const LO: u32 = 1;
/// How long a network card may take to appear, in seconds.
const APPEARS: u64 = 10;
const LATE: &str =
    "no such interface after 10 s; name the module of its driver in DOCKER_LAUNCH_MODULES";
/// How long udhcpc may ask before it goes on in the background, in seconds: it does so itself after three requests, which
/// take ten.
const LEASE: u32 = 30;

pub(crate) fn configure(launch: &Launch<'_>, command: &mut Command<'_>) -> Outcome<()> {
    let links = Links::open().at(launch, Step::Network, c"netlink")?;
    links.set_up(LO).at(launch, Step::Network, c"lo")?;
    let mut names = Names::new();
    each_ip(launch, &mut |ip| {
        names.take(&ip);
        follow(launch, command, &links, &ip)
    })?;
    names.configure(launch)?;
    bridge::make(launch, command, &links)?;
    launch.log.debug(&[b"the network is configured"]);
    Ok(())
}

/// Calls `each` with the setting, or every `ip=` of the kernel's own words: of several in the environment only the last
/// would be left.
fn each_ip(launch: &Launch<'_>, each: &mut dyn FnMut(Ip<'_>) -> Outcome<()>) -> Outcome<()> {
    if let Some(ip) = launch.settings.ip {
        return each(ip);
    }
    if launch.role == Role::Container {
        return Ok(()); // that command line is the host's
    }
    let mut outcome = Ok(());
    let read = cmdline::arguments(launch.log, &mut |argument| {
        if outcome.is_ok() && !argument.for_init && argument.name == b"ip" {
            let text = argument.value.unwrap_or_default();
            outcome = match Ip::parse(text) {
                _ if matches!(text, b"off" | b"none" | b"") => Ok(()),
                Ok(ip) => each(ip),
                Err(why) => {
                    launch
                        .log
                        .warning(&[b"ip=", text, b" is ignored: ", why.as_bytes()]);
                    Ok(())
                }
            };
        }
    });
    read.noted(launch.log, Step::Network, cmdline::FILE);
    outcome
}

fn follow(launch: &Launch<'_>, command: &Command<'_>, links: &Links, ip: &Ip<'_>) -> Outcome<()> {
    let Some(address) = ip.address else {
        return ask(launch, command, links, ip.device);
    };
    let link = find(launch, ip.device)?;
    let configured = || {
        links.set_up(link.index)?;
        links.add_address(link.index, address, ip.prefix)?;
        match ip.gateway {
            Some(gateway) => links.add_default_route(link.index, gateway),
            None => Ok(()),
        }
    };
    configured().map_err(|errno| launch.refused(Step::Network, link.name.as_bytes(), errno))
}

fn find(launch: &Launch<'_>, name: &[u8]) -> Outcome<Link> {
    let name_or = if name.is_empty() {
        b"the first Ethernet interface"
    } else {
        name
    };
    let mut found = Links::find(name, 0);
    if found == Err(Errno::TIMEDOUT) {
        let limit = Decimal::new(APPEARS);
        let limit = limit.as_bytes();
        launch
            .log
            .line(&[b"waiting for ", name_or, b", up to ", limit, b" s"]);
        found = Links::wait_for(&launch.requests, name, APPEARS);
    }
    found.map_err(|errno| match errno {
        Errno::TIMEDOUT => launch.said(Step::Network, name_or, LATE),
        Errno::CANCELED => launch.said(Step::Network, name_or, ASKED),
        errno => launch.refused(Step::Network, name_or, errno),
    })
}

/// By the image's udhcpc and its own default script. It renews the lease in the background, and goes on asking there while
/// no server answers: the engine starts all the same. What the kernel, an outer engine or a launch before this one has
/// configured is not asked for again.
fn ask(launch: &Launch<'_>, command: &Command<'_>, links: &Links, device: &[u8]) -> Outcome<()> {
    if has_route(launch, device) {
        launch.log.debug(&[b"dhcp is not asked: there is a route"]);
        return Ok(());
    }
    let link = find(launch, device)?;
    let name = link.name.as_bytes();
    let up = links.set_up(link.index);
    up.map_err(|errno| launch.refused(Step::Network, name, errno))?;
    let words = [c"-b", c"-i", link.name.as_c_str()];
    let later: &[u8] = match tools::run(launch, command, c"udhcpc", &words, LEASE, AtEnd::Killed) {
        Ok(0) if has_route(launch, name) => return Ok(()),
        Ok(0) => b" has no lease yet: no DHCP server has answered, and udhcpc goes on asking",
        Err(Errno::TIMEDOUT) => b" has no lease: udhcpc took longer than 30 s and was ended",
        Err(Errno::CANCELED) => b" has no lease: the end is asked for, and udhcpc was killed",
        Ok(_) => {
            let reason = "udhcpc failed: what it said stands above";
            return Err(launch.said(Step::Network, name, reason));
        }
        Err(Errno::NOENT) => {
            let reason = "dhcp needs the image's udhcpc, and there is none in PATH: install busybox or udhcpc";
            return Err(launch.said(Step::Network, name, reason));
        }
        Err(errno) => return Err(launch.refused(Step::Network, b"udhcpc", errno)),
    };
    launch.log.warning(&[name, later]);
    Ok(())
}

/// Whether any route goes through the interface, or through any if it is not named (/proc/net/route: a line of titles, then
/// interface, destination, gateway …).
fn has_route(launch: &Launch<'_>, name: &[u8]) -> bool {
    let mut found = false;
    let outcome = fs::lines(ROUTES, &mut |line| {
        let through = words(line).next().unwrap_or(b"Iface");
        found |= through != b"Iface" && (through == name || name.is_empty());
    });
    outcome.found(launch.log, Step::Network, ROUTES);
    found
}
