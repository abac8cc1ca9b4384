//! The check at boot: every program and file, present and missing, and what follows.

use crate::{
    root::{CERTIFICATES, PROGRAMS, Root},
    running::Start,
    util::{Needs, has_feature, tests},
};
use std::fs;

tests![Needs::Root;
    nothing_is_logged_if_nothing_is_missing,
    each_missing_item_is_reported,
    all_missing_items_are_reported_in_one_run,
    warn_starts_the_daemon_anyway,
    skip_looks_for_nothing,
    the_library_refuses_too,
    a_daemon_json_that_cannot_be_read,
];

const ADVICE: &str =
    "missing, see above; DOCKER_LAUNCH_PREREQUISITES=warn starts the daemon anyway";

/// Name, the Cargo feature of the row if any, whether it is required, and what is logged if it is missing.
const LINES: &[(&str, &str, bool, &str)] = &[
    (
        "containerd",
        "",
        true,
        "dockerd does not start; install containerd, or use --containerd=SOCKET or --feature=embedded-containerd",
    ),
    (
        "containerd-shim-runc-v2",
        "",
        true,
        "no container starts; install containerd, or use --containerd=SOCKET or --default-runtime=NAME",
    ),
    (
        "runc",
        "",
        true,
        "dockerd does not start; older engines start no container; install runc",
    ),
    (
        "docker-proxy",
        "",
        true,
        "Docker 25 and newer does not start; older engines publish no port; install docker.io, or use --userland-proxy=false or --userland-proxy-path=PATH",
    ),
    (
        "iptables",
        "iptables",
        true,
        "dockerd does not start; install iptables, or use --iptables=false or --firewall-backend=nftables",
    ),
    (
        "ip6tables",
        "iptables",
        false,
        "networks with IPv6 get no rules: no NAT, no published ports, no isolation there; install iptables, or use --ip6tables=false or --firewall-backend=nftables",
    ),
    (
        "ca-certificates.crt",
        "",
        false,
        "no image is pulled from a registry with TLS, docker.io among them; install ca-certificates",
    ),
    (
        "docker-init",
        "",
        false,
        "docker run --init fails; install tini, or use --init-path=PATH",
    ),
    ("ps", "", false, "docker top fails; install procps"),
    (
        "modprobe",
        "modprobe",
        false,
        "no kernel module is loaded when Docker or iptables asks for it; install kmod",
    ),
    (
        "xz",
        "xz",
        false,
        "docker import, load and build refuse archives compressed with xz; install xz-utils",
    ),
    (
        "git",
        "git",
        false,
        "docker build of a git URL fails; install git",
    ),
    (
        "git-submodule",
        "git",
        false,
        "docker build of a git URL fails; install git",
    ),
    (
        "ssh",
        "git",
        false,
        "docker build of a git URL over ssh fails; install openssh-client",
    ),
];

/// Whether this build and this test look for it: the row is compiled in, and for modprobe the kernel loads modules.
fn is_looked_for(name: &str, feature: &str) -> bool {
    (feature.is_empty() || has_feature(feature))
        && (name != "modprobe" || fs::exists("/proc/modules").unwrap())
}

/// An image with everything, including modprobe.
pub(crate) fn complete() -> Root {
    let root = Root::new();
    root.file("/usr/sbin/modprobe", "")
        .mode("/usr/sbin/modprobe", 0o755);
    root
}

pub(crate) fn remove(root: &Root, name: &str) {
    let file = PROGRAMS
        .iter()
        .chain(&[CERTIFICATES, "/usr/sbin/modprobe"])
        .find(|file| file.ends_with(&format!("/{name}")))
        .unwrap();
    fs::remove_file(root.path(file)).unwrap();
}

/// The lines about something missing, without the program's name.
pub(crate) fn told(log: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| line.strip_prefix("dockerlaunch: "))
        .filter(|line| {
            [
                " is missing: ",
                " cannot be executed: ",
                "ca-certificates.crt ",
            ]
            .iter()
            .any(|words| line.contains(words))
        })
        .map(String::from)
        .collect()
}

/// The daemon starts after these lines.
pub(crate) fn assert_starts(start: Start<'_>, lines: &[&str]) {
    assert_eq!(told(&start.running().log()), lines);
}

/// The launch ends with 125, and its last line names these.
pub(crate) fn assert_ends(start: Start<'_>, names: &str) {
    let ended = start.ended();
    let last = format!("dockerlaunch: prerequisites {names}: {ADVICE}");
    assert_eq!(
        (ended.status, ended.stderr.lines().last()),
        (125, Some(last.as_str())),
        "{}",
        ended.stderr
    );
}

fn nothing_is_logged_if_nothing_is_missing() {
    let root = complete();
    assert_starts(root.container(), &[]);
    let root = complete();
    assert_starts(root.machine(), &[]);
}

fn each_missing_item_is_reported() {
    for (name, feature, required, line) in LINES {
        let root = complete();
        remove(&root, name);
        let line = format!("{name} is missing: {line}");
        if !is_looked_for(name, feature) {
            assert_starts(root.container(), &[]);
        } else if *required {
            let ended = root.container().ended();
            assert_eq!(told(&ended.stderr), [line], "{name}");
            assert_ends(root.container(), name);
        } else {
            assert_starts(root.container(), &[&format!("warning: {line}")]);
        }
    }
}

/// In the order of the table, required items and others.
fn expected(policy: &str) -> Vec<String> {
    LINES
        .iter()
        .filter(|(name, feature, ..)| is_looked_for(name, feature))
        .map(|(name, _, required, line)| {
            let stops = *required && policy == "require";
            let warning = if stops { "" } else { "warning: " };
            format!("{warning}{name} is missing: {line}")
        })
        .collect()
}

fn all_missing_items_are_reported_in_one_run() {
    let root = Root::bare();
    let names: Vec<_> = LINES
        .iter()
        .filter(|(name, feature, required, _)| *required && is_looked_for(name, feature))
        .map(|(name, ..)| *name)
        .collect();
    for start in [
        root.container(),
        root.container()
            .variable("DOCKER_LAUNCH_PREREQUISITES", "require"),
    ] {
        assert_eq!(told(&start.ended().stderr), expected("require"));
    }
    assert_ends(root.container(), &names.join(", "));
}

fn warn_starts_the_daemon_anyway() {
    let root = Root::bare();
    let start = root
        .container()
        .variable("DOCKER_LAUNCH_PREREQUISITES", "warn");
    assert_eq!(told(&start.running().log()), expected("warn"));
}

fn skip_looks_for_nothing() {
    let root = Root::bare();
    assert_starts(
        root.container()
            .variable("DOCKER_LAUNCH_PREREQUISITES", "skip"),
        &[],
    );
}

fn the_library_refuses_too() {
    let root = complete();
    root.stand_in("/usr/bin/caller").loader();
    remove(&root, "runc");
    let ended = root
        .container()
        .program("/usr/bin/caller")
        .words(["dockerd"])
        .ended();
    assert_eq!(ended.status, 125);
    let said = format!("prerequisites runc: {ADVICE}\n");
    assert!(ended.stdout.starts_with(&said), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("\nPrerequisites runc None"),
        "{}",
        ended.stdout
    );
}

fn a_daemon_json_that_cannot_be_read() {
    let root = Root::new();
    root.directory("/etc/docker/daemon.json");
    let ended = root.container().ended();
    let line = "dockerlaunch: prepare daemon daemon.json: is a directory (EISDIR)\n";
    assert_eq!((ended.status, ended.said().as_str()), (125, line));
}
