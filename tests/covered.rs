//! The mounts of a launch never cover what somebody else has mounted, not even through a link.

use crate::{
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Root;
    d1_a_volume_at_var_run_stays_and_clients_find_the_socket,
    d1_what_is_mounted_below_var_run_stays,
    d1_a_volume_above_var_run_stays,
    d1_run_as_a_link_to_a_volume_stays,
    d1_var_run_leads_to_run_on_a_read_only_root,
    d1_a_read_only_volume_is_not_covered,
    d1_a_second_launch_changes_nothing_at_var_run,
];

/// An outer volume with a file in it, mounted as the outer engine does it.
fn volume<'r>(root: &'r Root, start: Start<'r>, at: &str) -> Start<'r> {
    root.file("/outer/token", "secret").directory(at);
    start.before(Before::bind(root.path("/outer"), at))
}

fn count(daemon: &Running<'_>, at: &str) -> usize {
    let mounts = daemon.mounts();
    mounts.iter().filter(|mount| mount.at == at).count()
}

/// Other containers have the same volume and connect to the socket in it.
fn d1_a_volume_at_var_run_stays_and_clients_find_the_socket() {
    let root = Root::new();
    let words = ["-H", "fd://"];
    let daemon = volume(&root, root.container(), "/var/run")
        .words(words)
        .running();
    assert_eq!(daemon.read("/var/run/token"), "secret");
    assert_eq!(count(&daemon, "/var/run"), 1);
    std::os::unix::net::UnixStream::connect(root.path("/outer/docker.sock")).unwrap();
    assert!(!daemon.path("/run/docker.sock").exists());
}

fn d1_what_is_mounted_below_var_run_stays() {
    for at in [
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/var/run/docker",
        "/var/run/a b",
    ] {
        let root = Root::new();
        let daemon = volume(&root, root.container(), at).running();
        assert_eq!(daemon.read(&format!("{at}/token")), "secret");
        assert_eq!(count(&daemon, "/var/run"), 0, "{at}");
    }
    // The outer engine binds a socket of its own over a file.
    let root = Root::new();
    root.file("/outer.sock", "outer")
        .file("/var/run/docker.sock", "");
    let socket = Before::bind(root.path("/outer.sock"), "/var/run/docker.sock");
    let daemon = root.container().before(socket).running();
    assert_eq!(daemon.read("/var/run/docker.sock"), "outer");
}

fn d1_a_volume_above_var_run_stays() {
    let root = Root::new();
    root.directory("/outer/run/of/others");
    let daemon = volume(&root, root.container(), "/var").running();
    assert_eq!(count(&daemon, "/var/run"), 0);
    fs::write(root.path("/outer/run/of/others/late"), "late").unwrap();
    assert_eq!(daemon.read("/var/run/of/others/late"), "late");
    // /var itself may be a link to the volume.
    let root = Root::new();
    root.directory("/outer/run/of/others").link("/var", "data");
    let daemon = volume(&root, root.container(), "/data").running();
    assert!(daemon.path("/var/run/of/others").exists());
    assert_eq!(daemon.read("/var/token"), "secret");
}

/// Images of old distributions have /run as a link.
fn d1_run_as_a_link_to_a_volume_stays() {
    for at in ["/var/run", "/var/run/secrets"] {
        let root = Root::new();
        // No mount point: the test harness makes /run if it is missing.
        root.directory("/var/run").link("/run", "var/run");
        let daemon = volume(&root, root.container(), at).running();
        assert_eq!(daemon.read(&format!("{at}/token")), "secret", "{at}");
        let in_run = at.trim_start_matches("/var");
        assert_eq!(daemon.read(&format!("{in_run}/token")), "secret", "{at}");
    }
}

fn d1_var_run_leads_to_run_on_a_read_only_root() {
    for below in [None, Some("/var/run/secrets")] {
        let root = Root::new();
        for directory in ["/proc", "/sys", "/dev", "/run", "/root", "/tmp"] {
            root.directory(directory);
        }
        root.file("/var/run/docker.pid", "1");
        drop(root.machine().running());
        let mut start = root.container();
        if let Some(at) = below {
            start = volume(&root, start, at);
        }
        let read_only = Before::ReadOnly { at: "/".into() };
        let daemon = start.before(read_only).running();
        fs::write(daemon.path("/run/of_run"), "").unwrap();
        let same = daemon.path("/var/run/of_run").exists();
        assert_eq!(same, below.is_none());
        if let Some(at) = below {
            assert_eq!(daemon.read(&format!("{at}/token")), "secret");
        }
    }
}

/// A volume at /tmp or at the data root, below a read-only root.
fn d1_a_read_only_volume_is_not_covered() {
    for at in ["/tmp", "/var/lib/docker", "/srv/docker"] {
        let root = Root::new();
        for directory in ["/proc", "/sys", "/dev", "/run", "/root", "/tmp"] {
            root.directory(directory);
        }
        drop(root.machine().running());
        let start = volume(&root, root.container(), at)
            .before(Before::ReadOnly { at: at.into() })
            .before(Before::ReadOnly { at: "/".into() });
        let start = start.words([format!("--data-root={at}")]);
        let daemon = start.running();
        assert_eq!(daemon.read(&format!("{at}/token")), "secret");
        let line = format!(
            "dockerlaunch: warning: {at} is mounted read-only: the engine cannot keep images and containers \
                there; mount it read-write\n"
        );
        assert!(daemon.log().contains(&line), "{}", daemon.log());
    }
}

fn d1_a_second_launch_changes_nothing_at_var_run() {
    for at in ["/var/run", "/var/run/secrets"] {
        let root = Root::new();
        let words = ["dockerlaunch", "dockerd"];
        let daemon = volume(&root, root.container(), at).words(words).running();
        assert_eq!(daemon.read(&format!("{at}/token")), "secret");
        assert_eq!(count(&daemon, at), 1);
        let below = usize::from(at == "/var/run");
        assert_eq!(count(&daemon, "/var/run"), below);
    }
}
