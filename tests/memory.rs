//! How much memory a read-only root may take: half of it, whatever is kept in memory and however often a launch runs.

use crate::{
    read_only::image,
    root::Root,
    running::{Running, Start, mode},
    unprivileged::with_terminals,
    util::{Before, Needs, tests},
};
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path};

tests![Needs::Root;
    g8_a_read_only_root_takes_at_most_half_of_the_memory,
    g8_a_container_takes_no_more,
    g8_a_second_launch_takes_no_more,
    g8_existing_mounts_do_not_count,
    g8_the_modes_do_not_depend_on_the_mask;
    Needs::UserNamespaces => g8_a_user_namespace_takes_no_more
];

/// The machine's memory in bytes, from /proc/meminfo.
fn memory() -> u64 {
    let lines = fs::read_to_string("/proc/meminfo").unwrap();
    let total = lines
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes: u64 = total
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kilobytes * 1024
}

/// The size of the whole file system, in bytes.
fn size(path: &Path) -> u64 {
    let stat = rustix::fs::statvfs(path.to_str().unwrap()).unwrap();
    stat.f_blocks * stat.f_frsize
}

/// The directories that are kept in memory are on file systems that together hold at most half of it.
fn assert_half(daemon: &Running<'_>, places: &[&str]) {
    let mut sizes = BTreeMap::new();
    for at in places {
        assert_eq!(daemon.mount_at(at).kind, "tmpfs", "{at}");
        let path = daemon.path(at);
        sizes.insert(path.metadata().unwrap().dev(), size(&path));
    }
    let (all, half) = (sizes.values().sum::<u64>(), memory() / 2);
    assert!(all <= half, "{sizes:?} is more than {half}");
    assert!(all > half / 2, "{sizes:?} is much less than {half}");
    // The launch has removed the temporary mount from which it bound them.
    assert!(!daemon.path("/run/.dockerlaunch").exists());
    assert!(
        !daemon
            .mounts()
            .iter()
            .any(|mount| mount.at.contains(".dockerlaunch"))
    );
}

const PLACES: [&str; 4] = ["/etc", "/root", "/tmp", "/var"];

fn read_only(start: Start<'_>) -> Start<'_> {
    start.before(Before::ReadOnly { at: "/".into() })
}

fn g8_a_read_only_root_takes_at_most_half_of_the_memory() {
    let root = image();
    assert_half(&read_only(root.machine()).running(), &PLACES);
    // The data root is kept in memory, too.
    root.directory("/srv/docker");
    let start = root.machine().words(["--data-root=/srv/docker"]);
    let daemon = read_only(start).running();
    assert_half(&daemon, &[&PLACES[..], &["/srv/docker"]].concat());
    assert_eq!(mode(&daemon.path("/srv/docker")), 0o710);
    assert_eq!(daemon.mount_at("/srv/docker").flags, "rw,relatime");
}

fn g8_a_container_takes_no_more() {
    let root = image();
    assert_half(&read_only(root.container()).running(), &PLACES);
}

fn g8_a_second_launch_takes_no_more() {
    let root = image();
    root.stand_in("/usr/bin/once");
    let once = Before::Launch { variables: vec![] };
    let daemon = read_only(root.container()).before(once).running();
    assert_half(&daemon, &PLACES);
    for at in PLACES {
        let mounts = daemon.mounts();
        assert_eq!(mounts.iter().filter(|mount| mount.at == at).count(), 1);
    }
}

/// A disk at /var, or a tmpfs that a container gets at /tmp: neither counts, and the others still share one tmpfs.
fn g8_existing_mounts_do_not_count() {
    for mounted in ["/etc", "/tmp", "/var"] {
        let root = image();
        let start = read_only(root.machine()).before(Before::Mount {
            kind: "tmpfs".into(),
            at: mounted.into(),
            data: "mode=711,size=1m".into(),
        });
        let daemon = start.running();
        let others = PLACES.into_iter().filter(|at| *at != mounted);
        assert_half(&daemon, &others.collect::<Vec<_>>());
        assert_eq!(size(&daemon.path(mounted)), 1 << 20, "{mounted}");
    }
}

/// Rootless engines make user namespaces: there a bind may have to get other flags than the tmpfs.
fn g8_a_user_namespace_takes_no_more() {
    let root = image();
    let daemon = read_only(with_terminals(&root)).running();
    assert_half(&daemon, &PLACES);
    assert_eq!(daemon.mount_at("/var").flags, "rw,relatime");
    assert_eq!(daemon.mount_at("/etc").flags, "rw,nosuid,nodev,relatime");
}

fn g8_the_modes_do_not_depend_on_the_mask() {
    let root: Root = image();
    let daemon = read_only(root.machine().before(Before::Umask(0o077))).running();
    for (at, expected) in PLACES.into_iter().zip([0o755, 0o700, 0o1777, 0o755]) {
        assert_eq!(mode(&daemon.path(at)), expected, "{at}");
    }
}
