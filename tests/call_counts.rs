//! How many system calls a launch takes, from its own exec to the daemon's. Each one takes time at every boot, so this is a limit
//! that a change may lower, but not raise. With DOCKERLAUNCH_CALLS set the counts are printed.
//!
//! The limits hold for any machine: they include what a tester without CAP_SYS_RESOURCE adds (the limits of resources are refused
//! and tried again), and a kernel with legacy iptables (three files more are read).

use crate::{
    calls::root,
    modules::TABLE,
    root::{CERTIFICATES, Root},
    running::Start,
    tracer::{Then, trace},
    util::{Before, Needs, tests},
};
use nix::libc::*;
use std::{collections::BTreeMap, env, fmt::Write, fs::File, thread};

tests![Needs::Root;
    the_machine_with_an_image_of_programs_only,
    a_container_with_an_image_of_programs_only,
    a_container_with_an_ordinary_image,
    a_second_launch_of_the_machine,
];

fn the_machine_with_an_image_of_programs_only() {
    assert_at_most(220, machine(&root()));
}

fn a_second_launch_of_the_machine() {
    let root = root();
    drop(machine(&root).program("/usr/bin/dockerlaunch").running());
    assert_at_most(180, machine(&root));
}

fn a_container_with_an_image_of_programs_only() {
    assert_at_most(195, container(&root()));
}

fn a_container_with_an_ordinary_image() {
    let root = root();
    for directory in ["/root/.ssh", "/tmp", "/var/lib/docker", "/var/log"] {
        root.directory(directory);
    }
    root.link("/bin", "usr/bin").link("/sbin", "usr/sbin");
    root.link("/var/run", "/run");
    root.link("/etc/mtab", "../proc/self/mounts");
    for file in ["group", "nsswitch.conf", "passwd"] {
        root.file(&format!("/etc/{file}"), "from the image\n");
    }
    assert_at_most(180, container(&root));
}

/// Nothing is mounted but what shows the kernel's modules.
fn machine(root: &Root) -> Start<'_> {
    root.directory("/proc").directory("/sys");
    with_modules(
        root.machine()
            .before(Before::mount("proc", "/proc"))
            .before(Before::mount("sysfs", "/sys")),
    )
}

/// With what an engine mounts and makes, and the cgroup of the tester.
fn container(root: &Root) -> Start<'_> {
    for file in ["hosts", "hostname", "resolv.conf"] {
        root.file(&format!("/etc/{file}"), "from the engine\n");
    }
    let mut start = with_modules(root.container());
    for (kind, at) in [
        ("devpts", "/dev/pts"),
        ("tmpfs", "/dev/shm"),
        ("mqueue", "/dev/mqueue"),
    ] {
        start = start.before(Before::Directory { at: at.into() });
        start = start.before(Before::mount(kind, at));
    }
    for (link, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("core", "/proc/kcore"),
        ("ptmx", "pts/ptmx"),
    ] {
        let at = format!("/dev/{link}");
        start = start.before(Before::Link { at, to: to.into() });
    }
    start
}

/// All modules of the table are loaded. The bundle of certificates is longer than any buffer.
fn with_modules(start: Start<'_>) -> Start<'_> {
    let bundle = "-----BEGIN CERTIFICATE-----\n".repeat(400);
    start.root.file(CERTIFICATES, &bundle);
    let mut start = start
        .before(Before::mount("tmpfs", "/sys/module"))
        .before(Before::mount("tmpfs", "/proc/sys/net"));
    for module in TABLE {
        let at = match *module {
            "br_netfilter" => "/proc/sys/net/bridge".into(),
            module => format!("/sys/module/{module}"),
        };
        start = start.before(Before::Directory { at });
    }
    start
}

fn assert_at_most(most: usize, start: Start<'_>) {
    let root = start.root;
    let running = start.program("/usr/bin/held").started();
    running.until("held", |running| running.proc("comm") == "held\n");
    let mut counts: Option<BTreeMap<i64, usize>> = None;
    // It opens the FIFO only once it is traced.
    let path = root.path("/go");
    let go = || {
        drop(thread::spawn(|| {
            File::options().write(true).open(path).unwrap()
        }))
    };
    let mut has_ended = false;
    trace(running.pid, false, go, |call| {
        if call.number == SYS_execve && call.string(0) == b"/usr/bin/dockerlaunch" {
            counts = Some(BTreeMap::new());
            return Then::GoOn;
        }
        let Some(counts) = &mut counts else {
            return Then::GoOn;
        };
        *counts.entry(call.number).or_default() += 1;
        has_ended = call.number == SYS_execve;
        if has_ended { Then::Leave } else { Then::GoOn }
    });
    assert!(has_ended, "no daemon: {}", running.log());
    let counts = counts.unwrap();
    let total: usize = counts.values().sum();
    let table = table(total, &counts);
    if env::var_os("DOCKERLAUNCH_CALLS").is_some() {
        println!("{table}");
    }
    assert!(
        total <= most,
        "more than {most}: {table}\n{}",
        running.log()
    );
}

/// The most frequent call first.
fn table(total: usize, counts: &BTreeMap<i64, usize>) -> String {
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut table = format!("{total:4} calls");
    for (number, count) in rows {
        let name = NAMES.iter().find(|(known, _)| known == number);
        let name = name.map_or_else(
            || number.to_string(),
            |(_, name)| name.trim_start_matches("SYS_").into(),
        );
        write!(table, "\n{count:4} {name}").unwrap();
    }
    table
}

macro_rules! named {
    ($($call:ident),+ $(,)?) => { &[$(($call, stringify!($call))),+] };
}

const NAMES: &[(i64, &str)] = named![
    SYS_access,
    SYS_bind,
    SYS_clock_gettime,
    SYS_close,
    SYS_close_range,
    SYS_execve,
    SYS_faccessat,
    SYS_fchmod,
    SYS_fcntl,
    SYS_fstat,
    SYS_fstatfs,
    SYS_fsync,
    SYS_getdents64,
    SYS_getpid,
    SYS_getrandom,
    SYS_mkdir,
    SYS_mkdirat,
    SYS_mmap,
    SYS_mount,
    SYS_newfstatat,
    SYS_open,
    SYS_openat,
    SYS_openat2,
    SYS_ppoll,
    SYS_prlimit64,
    SYS_read,
    SYS_readlinkat,
    SYS_recvfrom,
    SYS_renameat2,
    SYS_rt_sigaction,
    SYS_rt_sigpending,
    SYS_rt_sigprocmask,
    SYS_sethostname,
    SYS_socket,
    SYS_statfs,
    SYS_statx,
    SYS_symlinkat,
    SYS_syncfs,
    SYS_umask,
    SYS_write,
];
