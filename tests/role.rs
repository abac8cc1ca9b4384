//! The machine's PID 1, a container, or neither: then nothing is touched.
//!
//! The role shows in what only the machine does: the kernel's HOME=/ becomes root's.

use crate::{
    root::Root,
    running::Start,
    util::{Needs, tests},
};

tests![Needs::Root;
    pid_1_of_a_namespace_is_a_containers,
    a_marker_says_container,
    the_setting_decides,
    neither_is_refused,
    only_pid_1_can_be_the_machines,
];

fn is_machine(start: Start<'_>) -> bool {
    let start = start.variable("DOCKER_LAUNCH_REAP", "false");
    let daemon = start.variable("HOME", "/").running();
    daemon.environment().contains(&"HOME=/root".into())
}

fn pid_1_of_a_namespace_is_a_containers() {
    assert!(!is_machine(Root::new().container()));
}

/// With a marker it needs not be PID 1: an engine's --init is.
fn a_marker_says_container() {
    for marker in ["/.dockerenv", "/run/.containerenv"] {
        let root = Root::new();
        root.file(marker, "");
        assert!(!is_machine(root.container()), "{marker}");
        drop(root.container().not_pid_1().running());
    }
    let root = Root::new();
    assert!(!is_machine(root.container().variable("container", "")));
    drop(
        root.container()
            .variable("container", "podman")
            .not_pid_1()
            .running(),
    );
}

fn the_setting_decides() {
    let root = Root::new();
    root.file("/.dockerenv", "");
    let cgroup = |start: Start<'_>| is_machine(start);
    assert!(cgroup(
        root.container().variable("DOCKER_LAUNCH_AS", "machine")
    ));
    assert!(!cgroup(
        root.container().variable("DOCKER_LAUNCH_AS", "container")
    ));
    assert!(!cgroup(
        root.container().variable("DOCKER_LAUNCH_AS", "auto")
    ));
}

fn neither_is_refused() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.start().words(["dockerd"]).not_pid_1().ended();
    let line = "dockerlaunch: role: this is neither the machine's PID 1 nor a container; boot a kernel with \
        init=/usr/bin/dockerlaunch, or docker run --privileged an image with it as the entry point\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, line));
    assert_eq!(root.tree(), before);
}

fn only_pid_1_can_be_the_machines() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.machine().not_pid_1().ended();
    let line = "dockerlaunch: role DOCKER_LAUNCH_AS=machine: only PID 1 can be the machine's; say container\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, line));
    assert_eq!(root.tree(), before);
}
