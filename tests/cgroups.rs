//! What a launch does with invalid lines in /proc/cgroups. Guests assert what it mounts on which kernel: here the hierarchies
//! belong to the test machine.

use crate::{
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};

tests![Needs::Root;
    an_invalid_line_is_reported_and_skipped,
    every_invalid_line_is_reported,
    a_repeated_controller_counts_once,
    every_refused_controller_is_listed,
];

/// A launch as the machine with cgroup v1, with these contents of /proc/cgroups.
fn with<'r>(root: &'r Root, controllers: &str) -> Running<'r> {
    root.file("/controllers", controllers).directory("/proc");
    root.machine()
        .before(Before::mount("proc", "/proc"))
        .before(Before::bind(root.path("/controllers"), "/proc/cgroups"))
        .variable("DOCKER_LAUNCH_CGROUP", "v1")
        .running()
}

const HEAD: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";

fn an_invalid_line_is_reported_and_skipped() {
    for (rubbish, told) in [
        ("../../etc 1 1 1", "../../etc 1 1 1"),
        ("no-such,thing 0 1 1", "no-such,thing 0 1 1"),
        ("memory 0 1 2", "memory 0 1 2"),
        ("memory", "memory"),
        (
            "memory 0 1 99999999999999999999999",
            "memory 0 1 99999999999999999999",
        ),
        (
            "a_name_that_is_longer_than_any_controllers 0 1 1",
            "a_name_that_is_longer_than_any_",
        ),
    ] {
        let root = Root::new();
        let daemon = with(&root, &format!("{HEAD}{rubbish}\ndisabled 0 1 0\n"));
        let line = format!(
            "dockerlaunch: warning: /proc/cgroups has a line that is not a controller, ignored: {told}\n"
        );
        assert!(daemon.log().contains(&line), "{}", daemon.log());
        let mount = daemon.mount_at("/sys/fs/cgroup");
        assert_eq!((&*mount.kind, &*mount.data), ("tmpfs", "rw,mode=755"));
        let there: Vec<_> = std::fs::read_dir(daemon.path("/sys/fs/cgroup"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(there.is_empty() || there == ["systemd"], "{there:?}");
    }
}

/// An empty line after the invalid one, or a byte that cannot be printed, does not hide it.
fn every_invalid_line_is_reported() {
    for rubbish in ["memory x\n\n", "mem\0ory 0 1 1\n"] {
        let root = Root::new();
        let daemon = with(&root, &format!("{HEAD}{rubbish}"));
        let line = "warning: /proc/cgroups has a line that is not a controller, ignored: mem";
        assert!(daemon.log().contains(line), "{rubbish:?}: {}", daemon.log());
    }
}

/// Every kernel has freezer. Whether v1 offers it depends on the machine: it is mounted, or reported as refused.
fn a_repeated_controller_counts_once() {
    let root = Root::new();
    let daemon = with(&root, &format!("{HEAD}freezer 1 1 1\nfreezer 1 1 1\n"));
    let mounted = daemon
        .mounts()
        .into_iter()
        .filter(|mount| mount.at == "/sys/fs/cgroup/freezer")
        .count();
    let log = daemon.log();
    let refused = log
        .lines()
        .filter(|line| line.contains("so containers have no limits of: "));
    let named = refused
        .flat_map(|line| line.split(' '))
        .filter(|name| *name == "freezer")
        .count();
    assert_eq!(mounted + named, 1, "{log}");
    // The second line is valid.
    assert!(!log.contains("is not a controller"), "{log}");
}

fn every_refused_controller_is_listed() {
    let names: Vec<String> = (0..20)
        .map(|number| format!("controller_{number:02}"))
        .collect();
    let lines: String = names.iter().map(|name| format!("{name} 0 1 1\n")).collect();
    let root = Root::new();
    let daemon = with(&root, &lines);
    let line = format!(
        "dockerlaunch: warning: the kernel lacks some cgroup v1 controllers, so containers have no limits of: {} cpu cpuset memory pids\n",
        names.join(" ")
    );
    assert!(daemon.log().contains(&line), "{}", daemon.log());
}
