//! What is mounted when the daemon starts: types, flags and options as in systemd's mount-setup.c, all shared. Existing
//! mounts stay, a second launch adds none, and /dev has its links.

use crate::{
    root::Root,
    running::{Mount, Running},
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Root;
    the_machine_gets_every_mount_of_the_table,
    every_mount_is_shared,
    a_second_launch_adds_nothing,
    existing_mounts_stay,
    a_container_gets_no_optional_mounts,
    dev_has_its_links,
];

/// Path, type, flags, options. devtmpfs and hugetlbfs show sizes of this machine: only the beginning of the options is compared.
const TABLE: &[(&str, &str, &str, &str)] = &[
    ("/proc", "proc", "rw,nosuid,nodev,noexec,relatime", "rw"),
    ("/dev", "devtmpfs", "rw,nosuid", "rw,size="),
    ("/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime", "rw"),
    (
        "/dev/pts",
        "devpts",
        "rw,nosuid,noexec,relatime",
        "rw,gid=5,mode=620,ptmxmode=666",
    ),
    ("/dev/shm", "tmpfs", "rw,nosuid,nodev", "rw"),
    (
        "/dev/mqueue",
        "mqueue",
        "rw,nosuid,nodev,noexec,relatime",
        "rw",
    ),
    ("/run", "tmpfs", "rw,nosuid,nodev", "rw,mode=755"),
    (
        "/sys/fs/cgroup",
        "cgroup2",
        "rw,nosuid,nodev,noexec,relatime",
        "rw",
    ),
];
/// Mounts of the machine that the kernel may lack.
const OPTIONAL: &[(&str, &str, &str, &str)] = &[
    (
        "/sys/kernel/security",
        "securityfs",
        "rw,nosuid,nodev,noexec,relatime",
        "rw",
    ),
    (
        "/sys/fs/bpf",
        "bpf",
        "rw,nosuid,nodev,noexec,relatime",
        "rw,mode=700",
    ),
    (
        "/dev/hugepages",
        "hugetlbfs",
        "rw,nosuid,nodev,relatime",
        "rw,pagesize=",
    ),
    (
        "/proc/sys/fs/binfmt_misc",
        "binfmt_misc",
        "rw,nosuid,nodev,noexec,relatime",
        "rw",
    ),
];

fn the_machine_gets_every_mount_of_the_table() {
    let root = Root::new();
    let daemon = root.machine().running();
    let offered = fs::read_to_string("/proc/filesystems").unwrap();
    let optional = OPTIONAL.iter().filter(|row| {
        offered
            .lines()
            .any(|line| line.ends_with(&format!("\t{}", row.1)))
    });
    let expected: Vec<_> = TABLE.iter().chain(optional).collect();
    for (at, kind, flags, data) in &expected {
        let mount = daemon.mount_at(at);
        assert_eq!(
            (mount.kind.as_str(), mount.flags.as_str()),
            (*kind, *flags),
            "{at}"
        );
        let exact = !data.ends_with('=');
        assert!(
            mount.data == *data || !exact && mount.data.starts_with(data),
            "{mount:?}"
        );
    }
    // There is no other mount but the root itself.
    assert_eq!(daemon.mounts().len(), expected.len() + 1);
    assert_eq!(super::running::mode(&daemon.path("/dev/shm")), 0o1777);
}

fn every_mount_is_shared() {
    let root = Root::new();
    let daemon = root.machine().running();
    for mount in daemon.mounts() {
        assert!(mount.propagation.starts_with("shared:"), "{mount:?}");
    }
}

/// dockerlaunch starts dockerlaunch as its daemon, which starts dockerd. The settings are not passed on, so the second one takes
/// the namespaces for a container. The cgroups of the test machine are read-only for it.
fn a_second_launch_adds_nothing() {
    let root = Root::new();
    root.directory("/sys");
    let start = || {
        root.machine()
            .before(Before::mount("sysfs", "/sys"))
            .foreign_cgroups()
    };
    let once = places(&start().words(["dockerd"]).running());
    let daemon = start().words(["dockerlaunch", "dockerd"]).running();
    assert_eq!(places(&daemon), once);
    assert_eq!(daemon.words(), ["dockerd"]);
}

fn places(daemon: &Running<'_>) -> Vec<String> {
    daemon.mounts().into_iter().map(|mount| mount.at).collect()
}

fn existing_mounts_stay() {
    let root = Root::new();
    root.directory("/run").directory("/dev").directory("/sys");
    let mut start = root.machine();
    for (kind, at) in [("tmpfs", "/run"), ("tmpfs", "/dev"), ("sysfs", "/sys")] {
        start = start.before(Before::mount(kind, at));
    }
    let null = "/dev/null";
    let start = start
        .before(Before::File {
            at: null.into(),
            contents: String::new(),
        })
        .before(Before::bind(null, null));
    let daemon = start.running();
    for (at, kind) in [
        ("/run", "tmpfs"),
        ("/dev", "tmpfs"),
        ("/sys", "sysfs"),
        ("/dev/pts", "devpts"),
    ] {
        let there: Vec<Mount> = daemon
            .mounts()
            .into_iter()
            .filter(|mount| mount.at == at)
            .collect();
        assert_eq!(there.len(), 1, "{there:?}");
        assert_eq!(there[0].kind, kind);
    }
    // The mount is unchanged: it has none of the launch's flags.
    assert_eq!(daemon.mount_at("/run").flags, "rw,relatime");
}

fn a_container_gets_no_optional_mounts() {
    let root = Root::new();
    root.file("/.dockerenv", "");
    let daemon = root.container().running();
    let kinds: Vec<_> = daemon
        .mounts()
        .into_iter()
        .map(|mount| mount.kind)
        .collect();
    for (_, kind, ..) in OPTIONAL {
        assert!(!kinds.iter().any(|found| found == kind), "{kinds:?}");
    }
    for (at, kind, flags, data) in &TABLE[3..7] {
        let mount = daemon.mount_at(at);
        assert_eq!(
            (&*mount.kind, &*mount.flags, &*mount.data),
            (*kind, *flags, *data)
        );
    }
}

/// In a separate /dev: the machine's devtmpfs has these links already.
fn dev_has_its_links() {
    let root = Root::new();
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("core", "/proc/kcore"),
        ("ptmx", "pts/ptmx"),
    ];
    let daemon = root.container().running();
    let link = |daemon: &Running<'_>, name| fs::read_link(daemon.path("/dev").join(name)).unwrap();
    for (name, target) in links {
        assert_eq!(link(&daemon, name).to_str(), Some(target), "/dev/{name}");
    }
    let mut start = root.container();
    for (name, _) in links {
        start = start.before(Before::Link {
            at: format!("/dev/{name}"),
            to: "elsewhere".into(),
        });
    }
    let daemon = start.running();
    for (name, _) in links {
        assert_eq!(
            link(&daemon, name).to_str(),
            Some("elsewhere"),
            "/dev/{name}"
        );
    }
}
