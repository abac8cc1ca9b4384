//! The machine's PID 1, a container, or neither: then the launch touches nothing.
//!
//! The role shows in something that only the machine does: HOME=/ from the kernel becomes root's home.

use crate::{
    root::Root,
    running::Start,
    util::{Needs, tests},
};

tests![Needs::Root;
    pid_1_of_a_pid_namespace_is_a_container,
    a_marker_means_container,
    the_setting_decides,
    neither_is_refused,
    f1_in_a_shared_pid_namespace_the_message_names_the_setting,
    only_pid_1_can_be_the_machine,
];

fn is_machine(start: Start<'_>) -> bool {
    let start = start.variable("DOCKER_LAUNCH_REAP", "false");
    let daemon = start.variable("HOME", "/").running();
    daemon.environment().contains(&"HOME=/root".into())
}

fn pid_1_of_a_pid_namespace_is_a_container() {
    assert!(!is_machine(Root::new().container()));
}

/// With a marker it need not be PID 1: --init of an engine is PID 1.
fn a_marker_means_container() {
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

const MARKS: &str = "it is not PID 1, and nothing marks a container (/.dockerenv, /run/.containerenv, the variable container)";

/// Without /proc it is unknown whose PID namespace it is.
fn neither_is_refused() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.start().words(["dockerd"]).not_pid_1().ended();
    let line = format!(
        "dockerlaunch: role PID 2: {MARKS}; boot a kernel with init=/usr/bin/dockerlaunch, or docker run --privileged an image \
            with it as the entry point; in a container without a marker set DOCKER_LAUNCH_AS=container\n"
    );
    assert_eq!((ended.status, ended.stderr), (1, line));
    assert_eq!(root.tree(), before);
}

/// A container of a Kubernetes pod with shareProcessNamespace, or the child of another init.
fn f1_in_a_shared_pid_namespace_the_message_names_the_setting() {
    let root = Root::new();
    let start = || root.container().words(["dockerd"]).not_pid_1();
    drop(root.container().running());
    for (name, value) in [
        ("HOSTNAME", "pod"),
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("DOCKER_LAUNCH_AS", "auto"),
    ] {
        let tree = root.tree();
        let ended = start().variable(name, value).ended();
        let line = format!(
            "dockerlaunch: role PID 2: {MARKS}, but its PID namespace is not the machine's: in a pod whose containers share one, \
                set DOCKER_LAUNCH_AS=container\n"
        );
        assert_eq!((ended.status, ended.stderr), (1, line), "{name}");
        assert_eq!(root.tree(), tree);
    }
    // The setting that the message names helps.
    drop(start().variable("DOCKER_LAUNCH_AS", "container").running());
}

fn only_pid_1_can_be_the_machine() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.machine().not_pid_1().ended();
    let line = "dockerlaunch: role DOCKER_LAUNCH_AS=machine: only PID 1 can be the machine's; use container\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, line));
    assert_eq!(root.tree(), before);
}
