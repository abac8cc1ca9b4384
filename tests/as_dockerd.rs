//! dockerlaunch reads the daemon's arguments and daemon.json as dockerd reads them, even in unusual spellings.

use crate::{
    prerequisites::{assert_ends, assert_starts, complete, remove},
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Root;
    d6_a_space_before_fd_activates_the_socket,
    d7_the_last_of_repeated_flags_and_keys_counts,
    d7_a_path_with_a_surrogate_pair_is_found,
    d7_a_file_with_a_byte_order_mark_is_read,
    d7_arguments_after_two_dashes_are_no_flags,
    c5_empty_files_and_dev_null_mean_no_settings,
    e5_a_runtime_given_by_its_path_needs_the_shim;
    Needs::Features(&["check"]) => c5_check_takes_dev_null,
];

const FILE: &str = "/etc/docker/daemon.json";

fn is_activated(daemon: &Running<'_>) -> bool {
    daemon.environment().contains(&"LISTEN_FDS=1".into())
}

fn d6_a_space_before_fd_activates_the_socket() {
    let root = Root::new();
    for words in [
        &["-H fd://"][..],
        &["-H", " fd://"],
        &["--host= \tfd://"],
        &["-D", "--host", "unix:///x", "-DH  fd://"],
    ] {
        let daemon = root.machine().words(words).running();
        assert!(is_activated(&daemon), "{words:?}");
        assert_eq!(daemon.words()[1..], *words);
    }
    for hosts in [
        r#"{"hosts":[" fd://"]}"#,
        r#"{"hosts":["\u0020fd://"]}"#,
        r#"{"hosts":["unix:///x"],"hosts":["fd://"]}"#,
    ] {
        root.file(FILE, hosts);
        assert!(is_activated(&root.machine().running()), "{hosts}");
    }
    root.file(FILE, r#"{"hosts":["fd://"],"hosts":["unix:///x"]}"#);
    assert!(!is_activated(&root.machine().running()));
}

/// docker-proxy is missing: the daemon starts only if the last flag or key says that it needs none.
fn d7_the_last_of_repeated_flags_and_keys_counts() {
    let root = complete();
    remove(&root, "docker-proxy");
    for (words, json, starts) in [
        (
            &["--userland-proxy=true", "--userland-proxy=false"][..],
            "",
            true,
        ),
        (
            &["--userland-proxy=false", "--userland-proxy=true"],
            "",
            false,
        ),
        (&["--userland-proxy=false", "--userland-proxy"], "", false),
        (&["--userland-proxy=0", "--userland-proxy=F"], "", true),
        (
            &["--userland-proxy-path=/x", "--userland-proxy-path="],
            "",
            false,
        ),
        (
            &[],
            r#"{"userland-proxy": true, "userland-proxy": false}"#,
            true,
        ),
        (
            &[],
            r#"{"userland-proxy": false, "userland-proxy": true}"#,
            false,
        ),
        (&[], r#"{"nested": {"userland-proxy": false}}"#, true),
        (&[], r#"{"log-opts": {"userland-proxy": false}}"#, false),
    ] {
        root.file(FILE, json);
        let start = root.container().words(words);
        if starts {
            assert_starts(start, &[]);
        } else {
            assert_ends(start, "docker-proxy");
        }
    }
}

/// A stale pid file is removed only if the launch has found it.
fn finds_pid_file(start: Start<'_>, root: &Root, file: &str) -> bool {
    root.file(file, "1");
    drop(start.running());
    !root.path(file).exists()
}

fn d7_a_path_with_a_surrogate_pair_is_found() {
    for (json, file) in [
        (
            r#"{"pidfile": "/srv/\ud83d\udc33/pid"}"#,
            "/srv/\u{1f433}/pid",
        ),
        (
            r#"{"pidfile": "/srv/\uD83D\uDC33\u00e9"}"#,
            "/srv/\u{1f433}\u{e9}",
        ),
        (r#"{"pidfile": "/srv/\ud83d"}"#, "/srv/\u{fffd}"),
        (r#"{"pidfile": "/none", "pidfile": "/srv/p"}"#, "/srv/p"),
        (r#"{"pidfile": "/srv/p", "pidfile": null}"#, "/srv/p"),
    ] {
        let root = Root::new();
        root.file(FILE, json);
        assert!(finds_pid_file(root.container(), &root, file), "{json}");
    }
}

/// Editors on Windows write a byte order mark.
fn d7_a_file_with_a_byte_order_mark_is_read() {
    let json = "\u{feff}{\r\n  \"pidfile\": \"/srv/\u{e9}\"\r\n}\r\n";
    let units: Vec<u16> = json.encode_utf16().collect();
    for bytes in [
        json.as_bytes().to_vec(),
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ] {
        let root = Root::new();
        root.file(FILE, "");
        fs::write(root.path(FILE), &bytes).unwrap();
        assert!(
            finds_pid_file(root.container(), &root, "/srv/\u{e9}"),
            "{bytes:x?}"
        );
    }
}

fn d7_arguments_after_two_dashes_are_no_flags() {
    let root = Root::new();
    let daemon = root.machine().words(["-D", "--", "-H", "fd://"]).running();
    assert!(!is_activated(&daemon));
    let daemon = root.machine().words(["--data-root", "-Hfd://"]).running();
    assert!(!is_activated(&daemon));
    // A value may look like the end of the flags.
    let daemon = root.machine().words(["-G", "--", "-Hfd://"]).running();
    assert!(is_activated(&daemon));
}

/// dockerd reads these files as no settings.
fn c5_empty_files_and_dev_null_mean_no_settings() {
    for contents in ["", "\n", " \t\r\n", "{}", "\u{feff}"] {
        let root = Root::new();
        root.file("/other.json", contents);
        let start = root.machine().words(["--config-file=/other.json"]);
        let daemon = start.running();
        assert!(!daemon.log().contains("json"), "{}", daemon.log());
        assert_eq!(root.read("/other.json"), contents);
    }
    let root = Root::new();
    for word in ["--config-file=/dev/null", "--config-file="] {
        let daemon = root.machine().words([word]).running();
        assert!(!daemon.log().contains("json"), "{}", daemon.log());
    }
    root.file(FILE, "");
    let null = Before::bind("/dev/null", FILE);
    drop(root.container().before(null).running());
}

fn c5_check_takes_dev_null() {
    let root = Root::new();
    let start = root
        .container()
        .words(["--check", "--config-file=/dev/null"]);
    assert_eq!(start.ended().stderr, "");
}

fn e5_a_runtime_given_by_its_path_needs_the_shim() {
    let shim = "containerd-shim-runc-v2";
    let root = complete();
    remove(&root, shim);
    for (runtimes, starts) in [
        (
            r#"{"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": []}}"#,
            false,
        ),
        (
            r#"{"nvidia": {"runtimeType": "io.containerd.runc.v2"}}"#,
            false,
        ),
        (
            r#"{"kata": {"runtimeType": "io.containerd.kata.v2"}}"#,
            false,
        ),
        (
            r#"{"nvidia": {"runtimeType": "io.containerd.kata.v2"}}"#,
            true,
        ),
        (
            r#"{"nvidia": {"runtimetype": "/opt/shim", "options": {"path": "/x"}}}"#,
            true,
        ),
    ] {
        root.file(
            FILE,
            &format!(r#"{{"default-runtime": "nvidia", "runtimes": {runtimes}}}"#),
        );
        if starts {
            assert_starts(root.container(), &[]);
        } else {
            assert_ends(root.container(), shim);
        }
    }
    root.file(FILE, "{}");
    let words = ["--add-runtime=crun=/usr/bin/crun", "--default-runtime=crun"];
    assert_ends(root.container().words(words), shim);
    let words = ["--default-runtime=io.containerd.runsc.v1"];
    assert_starts(root.container().words(words), &[]);
}
