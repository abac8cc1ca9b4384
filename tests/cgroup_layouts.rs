//! Cgroups that are mounted before the launch: the launch and `--check` judge them as dockerd does. And v1 is chosen if a
//! controller that limits need exists only there.

use crate::{
    check::{check, objects, of, whole},
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::LegacyCgroups;
    d9_hierarchies_without_devices_do_not_count_as_v1;
    Needs::LegacyCheck => d9_check_and_launch_agree;
    Needs::MemoryOnlyInV1 => g9_v1_is_chosen_if_only_v1_has_memory,
];

/// A tmpfs at /sys/fs/cgroup with these v1 hierarchies of the test machine, given by their options.
fn with<'r>(start: Start<'r>, hierarchies: &[&str]) -> Start<'r> {
    let top = "/sys/fs/cgroup";
    let mut start = start.before(Before::mount("tmpfs", top));
    for options in hierarchies {
        let at = format!("{top}/{}", options.rsplit('=').next().unwrap());
        let at_two = at.clone();
        start = start
            .before(Before::Directory { at })
            .before(match *options {
                "cgroup2" => Before::mount("cgroup2", &at_two),
                options => Before::Mount {
                    kind: "cgroup".into(),
                    at: at_two,
                    data: options.into(),
                },
            });
    }
    start
}

const NAMED: &str = "none,name=systemd";
const LINE: &str = "dockerlaunch: warning: /sys/fs/cgroup has cgroup v1 hierarchies, but none of the controller \
    devices: dockerd does not start; unmount them, or mount that one too\n";

/// The mounts below it.
fn mounted(daemon: &Running<'_>) -> Vec<String> {
    let all = daemon.mounts().into_iter().map(|mount| mount.at);
    all.filter(|at| at.starts_with("/sys/fs/cgroup")).collect()
}

/// WSL mounts it like this, and so do machines whose owner followed advice for systemd's tools.
fn d9_hierarchies_without_devices_do_not_count_as_v1() {
    for hierarchies in [&[NAMED][..], &["memory"], &[NAMED, "cgroup2"]] {
        let root = Root::new();
        root.directory("/sys");
        let machine = root.machine().before(Before::mount("sysfs", "/sys"));
        for start in [machine, root.container()] {
            let daemon = with(start, hierarchies).running();
            assert!(
                daemon.log().contains(LINE),
                "{hierarchies:?}: {}",
                daemon.log()
            );
            let there = mounted(&daemon);
            assert_eq!(
                there.iter().filter(|at| at.contains("/cgroup/")).count(),
                hierarchies.len()
            );
        }
    }
    let root = Root::new();
    let daemon = with(root.container(), &[NAMED, "devices", "memory"]).running();
    assert!(!daemon.log().contains("devices"), "{}", daemon.log());
}

fn d9_check_and_launch_agree() {
    let root = whole();
    for (hierarchies, layout, devices) in [
        (
            &[NAMED][..],
            "v1 is mounted, without the controller devices",
            "missing",
        ),
        (
            &[NAMED, "cgroup2"],
            "v1 is mounted, without the controller devices",
            "missing",
        ),
        (&["devices"], "v1 is mounted", "found"),
        (&[], "none is mounted yet", "found"),
    ] {
        let ended = with(check(&root, "--check=json"), hierarchies).ended();
        let objects = objects(&ended);
        assert_eq!(of(&objects, "cgroups")["how"], layout, "{hierarchies:?}");
        let object = of(&objects, "devices");
        assert_eq!(object["state"], devices, "{hierarchies:?}: {object}");
        let daemon = with(root.container(), hierarchies).running();
        assert_eq!(
            daemon.log().contains(LINE),
            devices == "missing",
            "{}",
            daemon.log()
        );
    }
}

/// The machine that runs the tests has memory only in v1.
fn g9_v1_is_chosen_if_only_v1_has_memory() {
    let root = Root::new();
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_CGROUP", "auto")
        .running();
    assert_eq!(daemon.mount_at("/sys/fs/cgroup").kind, "tmpfs");
    let memory = daemon.mount_at("/sys/fs/cgroup/memory");
    assert_eq!(memory.kind, "cgroup");
    assert!(memory.data.split(',').any(|option| option == "memory"));
    // v2 is mounted if the setting says so.
    let daemon = root.machine().running();
    assert_eq!(daemon.mount_at("/sys/fs/cgroup").kind, "cgroup2");
}

/// The controllers of the v1 hierarchies that this machine has.
pub(crate) fn legacy_controllers() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let options = mounts
        .lines()
        .filter_map(|line| line.split_once(" - cgroup "));
    let options = options.filter_map(|(_, rest)| rest.split(' ').nth(1));
    options
        .flat_map(|options| options.split(','))
        .map(String::from)
        .collect()
}
