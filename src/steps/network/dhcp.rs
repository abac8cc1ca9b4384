//! DHCP with the image's udhcpc. It renews the lease in the background, and keeps trying there if no server answers: the
//! engine starts anyway. If no card is named, udhcpc runs on all cards, as in the kernel, and the first lease counts.
//!
//! This program itself applies the lease (lease.rs), so that the image needs no shell for it. An init that uses the library
//! is another program: there udhcpc's default script applies it.

use super::{Network, lease, links, links::Link, names::Names, routes};
use crate::{
    error::Step,
    fs::{self, PATH},
    kernel::children,
    launch::{Launch, Outcome},
    settings::{Reap, ip::Ip},
    sys::{self, ExecArray},
    text::{Text, hexadecimal},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    event::{PollFd, PollFlags, epoll},
    fd::{AsFd, OwnedFd},
    fs::{CWD, readlinkat_raw},
    io::{self, Errno},
    process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, waitpid},
};

/// How long udhcpc may take before it goes to the background, in seconds. By itself it does so after three requests, which
/// take ten seconds.
const LEASE: u64 = 30;
/// The maximum number of cards that are tried in parallel; the rest are not tried.
const CARDS: usize = 8;
/// Options in addition to udhcpc's own: MTU, search domains, routes (RFC 2132, 3397, 3442). They are given by number,
/// because a busybox may be built without the names.
const OPTIONS: [&CStr; 6] = [c"-O", c"26", c"-O", c"119", c"-O", c"121"];
/// The program's name, its interface, the options, the script, and the client id.
const ARGUMENTS: usize = 4 + OPTIONS.len() + 2 + 2;
/// `0x3d:` and 251 bytes in hexadecimal.
type ClientId = Text<512>;

/// Whether PID 1 may stay this program.
const STAYS: bool = cfg!(feature = "supervise");

/// A udhcpc that has not gone to the background yet.
struct Client<'l> {
    link: &'l Link,
    child: Pid,
    ends: OwnedFd,
    ended: Option<u8>,
}

#[inline(never)] // smaller
pub(super) fn ask(network: &Network<'_>, ip: &Ip<'_>, names: &Names) -> Outcome<()> {
    let launch = network.launch;
    let cards = cards(network, ip)?;
    if cards.is_empty() {
        return Ok(());
    }
    let path = network.command.look_up(c"udhcpc").map_err(|_| {
        let reason =
            "dhcp needs the image's udhcpc, and there is none in PATH: install busybox or udhcpc";
        launch.failed(Step::Network, called(&cards), reason)
    })?;
    let (script, id) = (script(launch), client_id(ip));
    let mark = lease::mark(launch, names);
    let mut clients: Vec<Client<'_>, CARDS> = Vec::new();
    for link in &cards {
        let up = network.changes.set_up(link.index);
        up.map_err(|errno| launch.refused(Step::Network, link.name.as_bytes(), errno))?;
        let started = || {
            let environment = network.command.array_of_environment(Some(mark))?;
            let mut arguments = ExecArray::with_room(ARGUMENTS)?;
            arguments.extend(&[c"udhcpc", c"-b", c"-i", link.name.as_c_str()]);
            arguments.extend(&OPTIONS);
            for (option, value) in [(c"-s", script.as_c_str()), (c"-x", id.as_c_str())] {
                if !value.is_empty() {
                    arguments.extend(&[option, value]);
                }
            }
            let Some(child) = sys::fork()? else {
                launch.requests.restore();
                sys::execve(path.as_c_str(), &arguments, &environment);
                sys::exit(127)
            };
            Client::new(link, child)
        };
        let started = started();
        let started = started.map_err(|errno| launch.refused(Step::Network, b"udhcpc", errno))?;
        let _ = clients.push(started);
    }
    wait(launch, &mut clients, called(&cards))
}

/// The name of the cards in messages.
fn called(cards: &[Link]) -> &[u8] {
    match cards {
        [card] => card.name.as_bytes(),
        _ => b"each network card",
    }
}

/// The cards to try: the named one, or all that have no route. A card that the kernel, an outer engine or an earlier launch
/// has configured is skipped.
#[inline(never)] // smaller
fn cards(network: &Network<'_>, ip: &Ip<'_>) -> Outcome<Vec<Link, CARDS>> {
    let launch = network.launch;
    let mut cards: Vec<Link, CARDS> = Vec::new();
    let is_any = ip.device.is_empty() && network.boot_card().is_none();
    if is_any && network.had_default_route() {
        launch.log.debug("no dhcp: there is a route already", &[]);
        return Ok(cards);
    }
    let Some(first) = network.find(ip.device)? else {
        return Ok(cards);
    };
    let mut more = |link: &Link| {
        if routes::goes_through(launch.log, link.name.as_bytes()) {
            launch.log.debug(
                "{}: no dhcp: there is a route already",
                &[link.name.as_bytes()],
            );
        } else {
            let _ = cards.push(*link);
        }
    };
    if is_any {
        let all = links::each_uplink(&mut more);
        all.map_err(|errno| launch.refused(Step::Network, first.name.as_bytes(), errno))?;
    } else {
        more(&first);
    }
    Ok(cards)
}

/// Waits until one has a lease, or all have gone to the background.
#[inline(never)] // smaller
fn wait(launch: &Launch<'_>, clients: &mut [Client<'_>], called: &[u8]) -> Outcome<()> {
    let failed = |errno| launch.refused(Step::Network, called, errno);
    let deadline = sys::since_boot() + LEASE * 1000;
    // Readable once a child in it has ended.
    let ends = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
    for client in &*clients {
        let data = epoll::EventData::new_u64(0);
        epoll::add(&ends, &client.ends, data, epoll::EventFlags::IN).map_err(failed)?;
    }
    let mut waited = Ok(());
    while waited.is_ok()
        && clients.iter().any(|client| client.ended.is_none())
        && !any_has_lease(launch, clients)
    {
        waited = launch.requests.wait(ends.as_fd(), deadline);
        clients.iter_mut().for_each(|client| client.reap(&ends));
    }
    // Once one card has a lease, udhcpc ends on the others.
    clients.iter_mut().for_each(|client| client.end(&ends));
    let later: &[u8] = match waited {
        _ if any_has_lease(launch, clients) => return Ok(()),
        Err(Errno::TIMEDOUT) => b" has no lease: udhcpc took longer than 30 s and was killed",
        Err(Errno::CANCELED) => b" has no lease: a shutdown is requested; udhcpc was killed",
        Err(errno) => return Err(failed(errno)),
        Ok(()) if clients.iter().any(|client| client.ended == Some(0)) => {
            b" has no lease yet: no DHCP server has answered; udhcpc keeps trying"
        }
        Ok(()) => {
            let reason = "udhcpc failed: see its output above";
            return Err(launch.failed(Step::Network, called, reason));
        }
    };
    launch.log.warning("{}{}", &[called, later]);
    Ok(())
}

fn any_has_lease(launch: &Launch<'_>, clients: &[Client<'_>]) -> bool {
    let has_lease = |client: &Client<'_>| {
        client.ended == Some(0) && routes::goes_through(launch.log, client.link.name.as_bytes())
    };
    clients.iter().any(has_lease)
}

impl<'l> Client<'l> {
    /// Takes a child that has just been started.
    fn new(link: &'l Link, child: Pid) -> io::Result<Self> {
        let ends = pidfd_open(child, PidfdFlags::empty()).inspect_err(|_| {
            let _ = kill_process(child, Signal::KILL);
        })?;
        Ok(Self {
            link,
            child,
            ends,
            ended: None,
        })
    }

    /// Does nothing if it was reaped before or still runs.
    fn reap(&mut self, ends: &OwnedFd) {
        if self.ended.is_none()
            && let Ok(Some((_, status))) = waitpid(Some(self.child), WaitOptions::NOHANG)
        {
            let status = status.exit_status();
            let status = status.and_then(|status| u8::try_from(status).ok());
            self.ended = Some(status.unwrap_or(u8::MAX));
            let _ = epoll::delete(ends, &self.ends);
        }
    }

    fn end(&mut self, ends: &OwnedFd) {
        if self.ended.is_some() {
            return;
        }
        let _ = kill_process(self.child, Signal::KILL);
        // A process that hangs in the kernel does not die, and is left behind.
        let soon = sys::since_boot() + 1000;
        let _ = children::readable(&mut [PollFd::new(&self.ends, PollFlags::IN)], soon);
        self.reap(ends);
    }
}

/// A path to this program for udhcpc; empty means udhcpc's default script. A program from a freed initramfs has no path any
/// more, but /proc/1/exe is still this program.
fn script(launch: &Launch<'_>) -> Text<PATH> {
    let mut path = Text::new();
    if !launch.settings.is_program {
        return path;
    }
    let mut target = [0; PATH];
    let length = readlinkat_raw(CWD, c"/proc/self/exe", &mut target).unwrap_or(0);
    let _ = path.set(&[target.get(..length).unwrap_or_default()]);
    if fs::executable(path.as_c_str()).is_err() {
        path.cut(0);
        if STAYS && getpid().is_init() && launch.settings.reap != Reap::Never {
            let _ = path.set(&[b"/proc/1/exe"]);
        }
    }
    path
}

/// The client ID in udhcpc's format: option 61 in hexadecimal. Empty if there is none.
fn client_id(ip: &Ip<'_>) -> ClientId {
    let Some((kind, id)) = ip.client_id else {
        return ClientId::new();
    };
    let (mut first, mut rest) = ([0; 2], [0; 500]);
    hexadecimal(&[kind], &mut first);
    hexadecimal(id, &mut rest);
    let rest = rest.get(..2 * id.len()).unwrap_or_default();
    ClientId::fitting(&[b"0x3d:", &first, rest])
}
