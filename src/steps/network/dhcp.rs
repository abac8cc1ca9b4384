//! DHCP, by the image's udhcpc. It renews the lease in the background, and goes on asking there while no server answers: the
//! engine starts all the same. Where no card is named all of them are asked, as by the kernel, and the first lease counts.
//!
//! What a lease says is put in place by this program itself (lease.rs), so that the image needs no shell for it. An init that
//! uses the library is another program: there it is udhcpc's default script.

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

/// How long udhcpc may ask before it goes on in the background, in seconds: it does so itself after three requests, which
/// take ten.
const LEASE: u64 = 30;
/// How many cards are asked at once; those behind them are not.
const CARDS: usize = 8;
/// What is asked for beside udhcpc's own: the MTU, the domains to search, routes (RFC 2132, 3397, 3442). By number, which
/// needs no name that a busybox may have been built without.
const OPTIONS: [&CStr; 6] = [c"-O", c"26", c"-O", c"119", c"-O", c"121"];
/// The program's name, its interface, the options, the script, and the client id.
const WORDS: usize = 4 + OPTIONS.len() + 2 + 2;
/// `0x3d:` and 251 bytes in hexadecimal.
type ClientId = Text<512>;

/// PID 1 may stay this program.
const STAYS: bool = cfg!(feature = "supervise");

/// An udhcpc that has not gone to the background yet.
struct Asked<'l> {
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
    let mut asked: Vec<Asked<'_>, CARDS> = Vec::new();
    for link in &cards {
        let up = network.changes.set_up(link.index);
        up.map_err(|errno| launch.refused(Step::Network, link.name.as_bytes(), errno))?;
        let started = || {
            let environment = network.command.array_of_environment(Some(mark))?;
            let mut words = ExecArray::with_room(WORDS)?;
            words.extend(&[c"udhcpc", c"-b", c"-i", link.name.as_c_str()]);
            words.extend(&OPTIONS);
            for (option, value) in [(c"-s", script.as_c_str()), (c"-x", id.as_c_str())] {
                if !value.is_empty() {
                    words.extend(&[option, value]);
                }
            }
            let Some(child) = sys::fork()? else {
                launch.requests.restore();
                sys::execve(path.as_c_str(), &words, &environment);
                sys::exit(127)
            };
            Asked::new(link, child)
        };
        let started = started();
        let started = started.map_err(|errno| launch.refused(Step::Network, b"udhcpc", errno))?;
        let _ = asked.push(started);
    }
    wait(launch, &mut asked, called(&cards))
}

/// What messages call them.
fn called(cards: &[Link]) -> &[u8] {
    match cards {
        [card] => card.name.as_bytes(),
        _ => b"each network card",
    }
}

/// Those to ask: the one that is meant, or all that have no route. What the kernel, an outer engine or a launch before this one
/// has configured is not asked for again.
#[inline(never)] // smaller
fn cards(network: &Network<'_>, ip: &Ip<'_>) -> Outcome<Vec<Link, CARDS>> {
    let launch = network.launch;
    let mut cards: Vec<Link, CARDS> = Vec::new();
    let is_any = ip.device.is_empty() && network.boot_card().is_none();
    if is_any && network.had_default_route {
        launch.log.debug(&[b"dhcp is not asked: there is a route"]);
        return Ok(cards);
    }
    let Some(first) = network.find(ip.device)? else {
        return Ok(cards);
    };
    let mut more = |link: &Link| {
        if routes::goes_through(launch.log, link.name.as_bytes()) {
            let what = b": dhcp is not asked: there is a route";
            launch.log.debug(&[link.name.as_bytes(), what]);
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

/// Until one has a lease, or all have gone to the background.
#[inline(never)] // smaller
fn wait(launch: &Launch<'_>, asked: &mut [Asked<'_>], called: &[u8]) -> Outcome<()> {
    let failed = |errno| launch.refused(Step::Network, called, errno);
    let deadline = sys::since_boot() + LEASE * 1000;
    // Readable while a child that it holds has ended.
    let ends = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
    for asked in &*asked {
        let data = epoll::EventData::new_u64(0);
        epoll::add(&ends, &asked.ends, data, epoll::EventFlags::IN).map_err(failed)?;
    }
    let mut waited = Ok(());
    while waited.is_ok()
        && asked.iter().any(|asked| asked.ended.is_none())
        && !any_has_lease(launch, asked)
    {
        waited = launch.requests.wait(ends.as_fd(), deadline);
        asked.iter_mut().for_each(|asked| asked.reap(&ends));
    }
    // Where one has a lease the others are not asked any more.
    asked.iter_mut().for_each(|asked| asked.end(&ends));
    let later: &[u8] = match waited {
        _ if any_has_lease(launch, asked) => return Ok(()),
        Err(Errno::TIMEDOUT) => b" has no lease: udhcpc took longer than 30 s and was ended",
        Err(Errno::CANCELED) => b" has no lease: the end is asked for, and udhcpc was killed",
        Err(errno) => return Err(failed(errno)),
        Ok(()) if asked.iter().any(|asked| asked.ended == Some(0)) => {
            b" has no lease yet: no DHCP server has answered, and udhcpc goes on asking"
        }
        Ok(()) => {
            let reason = "udhcpc failed: what it said stands above";
            return Err(launch.failed(Step::Network, called, reason));
        }
    };
    launch.log.warning(&[called, later]);
    Ok(())
}

fn any_has_lease(launch: &Launch<'_>, asked: &[Asked<'_>]) -> bool {
    let has_lease = |asked: &Asked<'_>| {
        asked.ended == Some(0) && routes::goes_through(launch.log, asked.link.name.as_bytes())
    };
    asked.iter().any(has_lease)
}

impl<'l> Asked<'l> {
    /// A child that has just been started.
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

    /// Nothing where it has ended before, or still runs.
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
        // What hangs in the kernel does not die: it is left behind.
        let soon = sys::since_boot() + 1000;
        let _ = children::readable(&mut [PollFd::new(&self.ends, PollFlags::IN)], soon);
        self.reap(ends);
    }
}

/// This program, where udhcpc finds it; empty: its default script. The one of an initramfs that was freed has no path any more,
/// but PID 1 is still it.
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

/// As udhcpc takes it: option 61 in hexadecimal; empty without one.
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
