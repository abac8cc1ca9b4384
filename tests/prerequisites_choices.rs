//! The daemon's flags and daemon.json decide what is needed.

use crate::{
    prerequisites::{assert_ends, assert_starts, complete, remove, told},
    util::{Needs, has_feature, tests},
};
use std::fs;

tests![Needs::Root;
    the_daemons_arguments_make_programs_unnecessary,
    daemon_json_makes_programs_unnecessary,
    another_firewall_backend_needs_another_program,
];

/// What is missing, and the arguments of the daemon with which it is not needed.
const NEEDLESS: &[(&str, &[&str])] = &[
    ("containerd", &["--containerd=/x.sock"]),
    ("containerd", &["--feature", "embedded-containerd"]),
    ("containerd-shim-runc-v2", &["--containerd", "/x.sock"]),
    (
        "containerd-shim-runc-v2",
        &["--default-runtime=io.containerd.kata.v2"],
    ),
    ("docker-proxy", &["--userland-proxy=false"]),
    ("docker-proxy", &["--userland-proxy-path=/x"]),
    ("docker-init", &["--init-path=/x"]),
    ("iptables", &["--iptables=false"]),
    ("iptables", &["--debug", "--iptables=0"]),
    ("ip6tables", &["--ip6tables=false"]),
];

fn the_daemons_arguments_make_programs_unnecessary() {
    for (name, words) in NEEDLESS {
        let root = complete();
        remove(&root, name);
        assert_starts(root.container().words(*words), &[]);
    }
    // With these arguments it is needed.
    let root = complete();
    remove(&root, "docker-proxy");
    for words in [
        &["--userland-proxy"][..],
        &["--userland-proxy", "false"],
        &["--userland-proxy=true"],
        &["--userland-proxy-path="],
        &["--userland-proxies=false"],
    ] {
        assert_ends(root.container().words(words), "docker-proxy");
    }
    let root = complete();
    remove(&root, "runc");
    assert_ends(root.container().words(["--default-runtime=crun"]), "runc");
}

fn daemon_json_makes_programs_unnecessary() {
    for (name, json) in [
        ("docker-proxy", r#"{"userland-proxy": false}"#),
        (
            "docker-proxy",
            r#"{"userland-proxy-path": "/x", "debug": true}"#,
        ),
        ("containerd", r#"{"containerd": "/x.sock"}"#),
        (
            "containerd",
            r#"{"features": {"embedded-containerd": true}}"#,
        ),
        (
            "containerd-shim-runc-v2",
            r#"{"default-runtime": "kata", "runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}}}"#,
        ),
        ("docker-init", r#"{"init-path": "/x"}"#),
        ("iptables", r#"{"iptables": false}"#),
        ("ip6tables", r#"{"ip6tables": false}"#),
    ] {
        let root = complete();
        root.file("/etc/docker/daemon.json", json);
        remove(&root, name);
        assert_starts(root.container(), &[]);
        // The daemon reads another file.
        fs::rename(
            root.path("/etc/docker/daemon.json"),
            root.path("/other.json"),
        )
        .unwrap();
        assert_starts(root.container().words(["--config-file=/other.json"]), &[]);
    }
    let root = complete();
    remove(&root, "docker-proxy");
    for json in [
        r#"{"userland-proxy": true}"#,
        r#"{"features": {"userland-proxy": false}}"#,
        r#"{"log-opts": ["userland-proxy", false]}"#,
        "",
    ] {
        root.file("/etc/docker/daemon.json", json);
        assert_ends(root.container(), "docker-proxy");
    }
}

fn another_firewall_backend_needs_another_program() {
    let root = complete();
    let start = || root.container().words(["--firewall-backend=nftables"]);
    if !has_feature("iptables") {
        return assert_starts(start(), &[]);
    }
    remove(&root, "iptables");
    remove(&root, "ip6tables");
    let ended = start().ended();
    let line = "nft is missing: dockerd does not start; install nftables";
    assert_eq!(
        (ended.status, told(&ended.stderr)),
        (125, vec![line.to_string()])
    );
    root.file("/usr/sbin/nft", "").mode("/usr/sbin/nft", 0o755);
    assert_starts(start(), &[]);
    // nft alone does not replace iptables.
    assert_ends(root.container(), "iptables");
}
