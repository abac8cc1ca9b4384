//! Collects the facts of the report from the kernel's files.

use std::{collections::BTreeMap, env, fs, net::Ipv4Addr, os::fd::BorrowedFd, process::id};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    sys::{
        resource::{RLIM_INFINITY, Resource, getrlimit},
        socket::{UnixAddr, getsockname, getsockopt, sockopt::AcceptConn},
    },
    time::{ClockId, clock_gettime},
    unistd::{gethostname, getsid},
};
use probe::{Cgroup, Descriptor, Mount, Network, Process, Report};

use crate::{files, pivot};

/// The limits that a daemon depends on.
const LIMITS: &[(&str, Resource)] = &[
    ("NOFILE", Resource::RLIMIT_NOFILE),
    ("NPROC", Resource::RLIMIT_NPROC),
    ("CORE", Resource::RLIMIT_CORE),
    ("MEMLOCK", Resource::RLIMIT_MEMLOCK),
    ("STACK", Resource::RLIMIT_STACK),
];

/// Files of the kernel that show a state.
const KERNEL: &[&str] = &[
    "/proc/cmdline",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/tainted",
    "/proc/sys/kernel/ctrl-alt-del",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/fs/nr_open",
    "/proc/sys/vm/swappiness",
    "/proc/meminfo",
];

pub(crate) fn report() -> Report {
    Report {
        // This comes first: the rest opens descriptors of its own and forks.
        descriptors: descriptors(),
        process: process(),
        mounts: read("/proc/self/mountinfo")
            .lines()
            .filter_map(mount)
            .collect(),
        cgroup: cgroup(),
        limits: limits(),
        files: files::walk(),
        network: network(),
        kernel: KERNEL
            .iter()
            .map(|path| (path.to_string(), read(path).trim().into()))
            .collect(),
        modules: first_words("/proc/modules"),
        clock: (
            seconds(ClockId::CLOCK_REALTIME),
            milliseconds(ClockId::CLOCK_BOOTTIME),
        ),
        pivot_root: pivot::attempt(),
    }
}

fn process() -> Process {
    let status = read("/proc/self/status");
    let field = |name: &str| {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_string()
    };
    Process {
        arguments: env::args_os()
            .map(|word| word.to_string_lossy().into())
            .collect(),
        environment: env::vars_os()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into(),
                    value.to_string_lossy().into(),
                )
            })
            .collect(),
        pid: id(),
        parent: field("PPid").parse().unwrap_or_default(),
        session: getsid(None).map_or(0, |session| session.as_raw().unsigned_abs()),
        working_directory: env::current_dir()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
        umask: field("Umask"),
        blocked: field("SigBlk"),
        ignored: field("SigIgn"),
        oom_score_adj: read("/proc/self/oom_score_adj").trim().into(),
        others: others(),
    }
}

/// A kernel thread has no command line.
fn others() -> Vec<String> {
    let pids = names("/proc")
        .into_iter()
        .filter_map(|name| name.parse::<u32>().ok())
        .filter(|pid| *pid != id());
    let programs = pids.filter(|pid| !read(&format!("/proc/{pid}/cmdline")).is_empty());
    programs
        .map(|pid| read(&format!("/proc/{pid}/comm")).trim().into())
        .collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let [_, _, _, root, target, options, propagation @ ..] = left.as_slice() else {
        return None;
    };
    let mut right = right.splitn(3, ' ');
    let propagation: Vec<&str> = propagation
        .iter()
        .filter_map(|field| propagation_name(field))
        .collect();
    Some(Mount {
        root: unescape(root),
        target: unescape(target),
        options: list(options, ','),
        propagation: if propagation.is_empty() {
            "private".into()
        } else {
            propagation.join(",")
        },
        file_system: right.next()?.into(),
        source: unescape(right.next()?),
        super_options: list(right.next()?, ','),
    })
}

fn propagation_name(field: &str) -> Option<&str> {
    match field.split(':').next()? {
        "master" => Some("slave"),
        name @ ("shared" | "unbindable") => Some(name),
        _ => None,
    }
}

/// The kernel writes space, tab, newline and backslash of a path as three octal digits.
fn unescape(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(field.to_string(), |field, (code, character)| {
        field.replace(code, character)
    })
}

fn cgroup() -> Cgroup {
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find(|root| fs::exists(format!("{root}/cgroup.controllers")).unwrap_or(false));
    let words = |file| {
        root.map(|root| list(read(&format!("{root}/{file}")).trim(), ' '))
            .unwrap_or_default()
    };
    Cgroup {
        own: read("/proc/self/cgroup")
            .lines()
            .map(String::from)
            .collect(),
        controllers: words("cgroup.controllers"),
        subtree_control: words("cgroup.subtree_control"),
    }
}

fn limits() -> BTreeMap<String, (Option<u64>, Option<u64>)> {
    let finite = |value| (value != RLIM_INFINITY).then_some(value);
    let limit = |(name, resource): &(&str, Resource)| {
        let (soft, hard) = getrlimit(*resource).ok()?;
        Some((name.to_string(), (finite(soft), finite(hard))))
    };
    LIMITS.iter().filter_map(limit).collect()
}

fn descriptors() -> BTreeMap<u32, Descriptor> {
    let open: Vec<u32> = names("/proc/self/fd")
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    // The descriptor that listed the directory is closed by now.
    open.into_iter()
        .filter_map(|number| Some((number, descriptor(number)?)))
        .collect()
}

fn descriptor(number: u32) -> Option<Descriptor> {
    let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    // SAFETY: /proc just listed it, and nothing else in this single-threaded program closes descriptors.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number as i32) };
    let flags = fcntl(borrowed, FcntlArg::F_GETFD)
        .map(FdFlag::from_bits_retain)
        .unwrap_or(FdFlag::empty());
    let listens = getsockopt(&borrowed, AcceptConn).unwrap_or(false);
    let path = || {
        getsockname::<UnixAddr>(number as i32)
            .ok()?
            .path()
            .map(|path| path.to_string_lossy().into_owned())
    };
    Some(Descriptor {
        target: target.to_string_lossy().into(),
        close_on_exec: flags.contains(FdFlag::FD_CLOEXEC),
        listens_on: listens.then(path).flatten(),
    })
}

fn network() -> Network {
    let (mut links, mut addresses) = (BTreeMap::new(), Vec::new());
    for interface in getifaddrs().into_iter().flatten() {
        let state = if interface.flags.contains(InterfaceFlags::IFF_UP) {
            "up"
        } else {
            "down"
        };
        links.insert(interface.interface_name.clone(), state.to_string());
        let part = |address: Option<nix::sys::socket::SockaddrStorage>| {
            Some(address?.as_sockaddr_in()?.ip())
        };
        if let (Some(address), Some(mask)) = (part(interface.address), part(interface.netmask)) {
            addresses.push(format!(
                "{} {address}/{}",
                interface.interface_name,
                u32::from(mask).count_ones()
            ));
        }
    }
    let routes = read("/proc/net/route")
        .lines()
        .skip(1)
        .filter_map(route)
        .collect();
    let hostname = gethostname().unwrap_or_default().to_string_lossy().into();
    Network {
        hostname,
        links,
        addresses,
        routes,
    }
}

/// `eth0 0002000A 00000000 0001 0 0 0 00FFFFFF …`: addresses in hexadecimal, in the machine's byte order.
fn route(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [link, destination, gateway, _, _, _, _, mask, ..] = fields.as_slice() else {
        return None;
    };
    let address = |field: &str| {
        Some(Ipv4Addr::from(
            u32::from_str_radix(field, 16).ok()?.to_le_bytes(),
        ))
    };
    let prefix = u32::from(address(mask)?).count_ones();
    Some(format!(
        "{}/{prefix} via {} dev {link}",
        address(destination)?,
        address(gateway)?
    ))
}

fn seconds(clock: ClockId) -> i64 {
    clock_gettime(clock)
        .map(|time| time.tv_sec())
        .unwrap_or_default()
}

fn milliseconds(clock: ClockId) -> i64 {
    clock_gettime(clock)
        .map(|time| time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000)
        .unwrap_or_default()
}

/// A file may have bytes that are not UTF-8; one that cannot be read counts as empty.
fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into()
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into())
        .collect()
}

fn first_words(path: &str) -> Vec<String> {
    read(path)
        .lines()
        .filter_map(|line| line.split(' ').next().map(String::from))
        .collect()
}

fn list(text: &str, separator: char) -> Vec<String> {
    text.split(separator)
        .filter(|word| !word.is_empty())
        .map(String::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_is_reported() {
        let report = report();
        assert_eq!(report.process.pid, id());
        assert_eq!(report.process.arguments, env::args().collect::<Vec<_>>());
        assert!(
            report
                .mounts
                .iter()
                .any(|mount| mount.target == "/proc" && mount.file_system == "proc")
        );
        assert_eq!(report.files["/dev/null"].content, "1:3");
        assert!(report.descriptors.contains_key(&0));
        assert!(report.clock.0 > 1_700_000_000 && report.clock.1 > 0);
        assert!(!report.pivot_root.is_empty());
    }

    #[test]
    fn a_line_of_mountinfo_is_taken_apart() {
        let mount = mount("36 35 98:0 /a /b\\040c rw,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue").unwrap();
        assert_eq!(
            (
                mount.root.as_str(),
                mount.target.as_str(),
                mount.propagation.as_str()
            ),
            ("/a", "/b c", "shared,slave")
        );
        assert_eq!(mount.super_options, ["rw", "errors=continue"]);
    }

    #[test]
    fn a_route_is_read_in_the_machines_byte_order() {
        let line = "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(route(line).unwrap(), "0.0.0.0/0 via 10.0.2.2 dev eth0");
    }
}
