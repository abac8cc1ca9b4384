//! Addresses, by netlink: lo up; then what DOCKER_LAUNCH_IP says, else what every `ip=` on the kernel command line does
//! that no kernel with IP_PNP has followed already. What is there stays. Then the names.

mod names;

use crate::{
    command::Command,
    error::Step,
    fs,
    ip::Ip,
    launch::{Context, Launch, Outcome},
    netlink::{Link, Netlink},
    role,
    settings::Role,
    text::{Decimal, words},
    tools,
};
use core::ffi::CStr;
use rustix::{fs::CWD, io::Errno};

/// The loopback interface is the first of every network namespace.
const LO: u32 = 1;
/// How long a network card may take to appear, in seconds.
const APPEARS: u64 = 10;
/// How long udhcpc may ask before it goes on in the background, in seconds: it does so itself after three requests.
const LEASE: u32 = 60;
/// What a kernel with IP_PNP has found out for its `ip=`.
const BY_KERNEL: &CStr = c"/proc/net/pnp";

pub(crate) fn configure(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    let netlink = Netlink::open().at(launch, Step::Network, c"netlink")?;
    netlink.set_up(LO).at(launch, Step::Network, c"lo")?;
    each_ip(launch, &mut |ip| follow(launch, command, &netlink, ip))?;
    names::configure(launch)?;
    launch.log.debug(&[b"the network is configured"]);
    Ok(())
}

/// Calls `each` with the setting, or every `ip=` of the kernel's own words: of several in the environment only the last
/// would be left.
fn each_ip(launch: &Launch<'_>, each: &mut dyn FnMut(Ip<'_>) -> Outcome<()>) -> Outcome<()> {
    if let Some(ip) = launch.settings.ip {
        return each(ip);
    }
    let ours = launch.role == Role::Machine && role::in_first_namespace();
    if !ours || fs::exists(CWD, BY_KERNEL) {
        return Ok(());
    }
    let mut line = [0; 4096];
    let line = fs::read_small(c"/proc/cmdline", &mut line).unwrap_or_default();
    for word in words(line).take_while(|word| *word != b"--") {
        let Some(text) = word.strip_prefix(b"ip=") else {
            continue;
        };
        match Ip::parse(text) {
            _ if matches!(text, b"off" | b"none" | b"") => {}
            Ok(ip) => each(ip)?,
            // It may be meant for another init: dracut has a syntax of its own.
            Err(why) => launch
                .log
                .warning(&[word, b" is ignored: ", why.as_bytes()]),
        }
    }
    Ok(())
}

fn follow(
    launch: &Launch<'_>,
    command: &Command<'_>,
    netlink: &Netlink,
    ip: Ip<'_>,
) -> Outcome<()> {
    let link = find(launch, ip.device)?;
    let failed = |errno| launch.refused(Step::Network, link.name.as_bytes(), errno);
    netlink.set_up(link.index).map_err(failed)?;
    let Some(address) = ip.address else {
        return ask(launch, command, &link);
    };
    netlink
        .add_address(link.index, address, ip.prefix)
        .map_err(failed)?;
    ip.gateway
        .map_or(Ok(()), |gateway| {
            netlink.add_default_route(link.index, gateway)
        })
        .map_err(failed)
}

fn find(launch: &Launch<'_>, name: &[u8]) -> Outcome<Link> {
    let name_or = if name.is_empty() {
        b"the first Ethernet interface"
    } else {
        name
    };
    let limit = Decimal::new(APPEARS);
    let waiting = || {
        launch.log.line(&[
            b"waiting for ",
            name_or,
            b", up to ",
            limit.as_bytes(),
            b" s",
        ])
    };
    Netlink::find(name, APPEARS, waiting).map_err(|errno| {
        let reason =
            "no such interface after 10 s; name the module of its driver in DOCKER_LAUNCH_MODULES";
        match errno {
            Errno::TIMEDOUT => launch.said(Step::Network, name_or, reason),
            errno => launch.refused(Step::Network, name_or, errno),
        }
    })
}

/// By the image's udhcpc and its own default script. It renews the lease in the background, and goes on asking there while
/// no server answers: the engine starts all the same.
fn ask(launch: &Launch<'_>, command: &Command<'_>, link: &Link) -> Outcome<()> {
    let words = [c"-b", c"-S", c"-i", link.name.as_c_str()];
    let subject = link.name.as_bytes();
    let reason = match tools::run(command, c"udhcpc", &words, LEASE) {
        Ok(0) if has_route(subject) => return Ok(()),
        Ok(0) | Err(Errno::TIMEDOUT) => {
            launch.log.warning(&[
                subject,
                b" has no lease yet: no DHCP server has answered; udhcpc goes on asking",
            ]);
            return Ok(());
        }
        Ok(_) => "udhcpc failed: what it said stands above",
        Err(Errno::NOENT) => {
            "dhcp needs the image's udhcpc, and there is none in PATH: install busybox or udhcpc"
        }
        Err(errno) => return Err(launch.refused(Step::Network, b"udhcpc", errno)),
    };
    Err(launch.said(Step::Network, subject, reason))
}

/// Whether any route goes through the interface (/proc/net/route: interface, destination, gateway …).
fn has_route(name: &[u8]) -> bool {
    let mut found = false;
    let read = fs::lines(c"/proc/net/route", &mut |line| {
        found |= words(line).next() == Some(name)
    });
    read.is_ok() && found
}
