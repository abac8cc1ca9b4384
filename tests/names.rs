//! The host name and resolv.conf, if they cannot be set as requested: the daemon starts anyway.

use crate::{
    network::{RESOLV_CONF, host_name},
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};
use std::os::unix::fs::MetadataExt;

tests![Needs::Network;
    c1_unchanged_name_servers_are_not_written,
    c1_name_servers_on_a_full_file_system,
    c1_more_name_servers_than_fit,
    c1_a_mounted_resolv_conf_on_a_full_file_system,
    c6_a_long_name_is_shortened,
    c6_a_file_with_comments,
];

const SERVERS: (&str, &str) = ("DOCKER_LAUNCH_DNS", "10.0.2.3");
const LINES: &str = "nameserver 10.0.2.3\n";
const FULL: &str = "dockerlaunch: warning: network /etc/resolv.conf: no space left on device (ENOSPC); free space there\n";

fn of_the_network(daemon: &Running<'_>) -> String {
    let log = daemon.log();
    let lines = log.split_inclusive('\n');
    lines
        .filter(|line| line.contains("network ") || line.contains("host name"))
        .collect()
}

fn full(at: &str) -> Before {
    Before::Mount {
        kind: "tmpfs".into(),
        at: at.into(),
        data: "size=4k".into(),
    }
}

fn file(at: &str, contents: &str) -> Before {
    Before::File {
        at: at.into(),
        contents: contents.into(),
    }
}

/// Whether the file system is full, read-only or the engine's.
fn c1_unchanged_name_servers_are_not_written() {
    let root = Root::new();
    root.file(RESOLV_CONF, LINES);
    let is = || {
        let meta = root.path(RESOLV_CONF).metadata().unwrap();
        (meta.ino(), meta.ctime(), meta.ctime_nsec())
    };
    let before = is();
    drop(root.machine().variable(SERVERS.0, SERVERS.1).running());
    assert_eq!(is(), before);
    let start = root.machine().variable(SERVERS.0, SERVERS.1);
    let daemon = start
        .before(full("/etc"))
        .before(file(RESOLV_CONF, LINES))
        .running();
    assert_eq!(
        (
            of_the_network(&daemon).as_str(),
            daemon.read(RESOLV_CONF).as_str()
        ),
        ("", LINES)
    );
    drop(daemon);
    let start = root.container().variable(SERVERS.0, SERVERS.1);
    let daemon = start
        .bind_read_only(root.path(RESOLV_CONF), RESOLV_CONF)
        .running();
    assert_eq!(of_the_network(&daemon), "");
    drop(daemon);
    // The same length, but other contents.
    root.file(RESOLV_CONF, "nameserver 10.0.2.4\n");
    drop(root.machine().variable(SERVERS.0, SERVERS.1).running());
    assert_eq!(root.read(RESOLV_CONF), LINES);
}

fn c1_name_servers_on_a_full_file_system() {
    let root = Root::new();
    root.directory("/etc");
    let start = root.machine().variable(SERVERS.0, SERVERS.1);
    let start = start
        .before(full("/etc"))
        .before(file(RESOLV_CONF, "nameserver 9.9.9.9\n"));
    let daemon = start.running();
    assert_eq!(of_the_network(&daemon), FULL);
    assert_eq!(daemon.read(RESOLV_CONF), "nameserver 9.9.9.9\n");
    // The files of the layout are there, too: the log names the file system once.
    let said = daemon.log();
    let named = said.matches("make room on the one mounted at /etc\n");
    assert_eq!(named.count(), 1, "{said}");
    drop(daemon);
    // The file is mounted read-only.
    root.file("/mine", "other\n").file(RESOLV_CONF, "under\n");
    let read_only = Before::ReadOnly {
        at: RESOLV_CONF.into(),
    };
    let start = root
        .container()
        .before(Before::bind(root.path("/mine"), RESOLV_CONF));
    let daemon = start
        .before(read_only)
        .variable(SERVERS.0, SERVERS.1)
        .running();
    let line = "dockerlaunch: warning: network /etc/resolv.conf: read-only file system (EROFS); mount the root read-write (rw), or add it to the image\n";
    assert_eq!(of_the_network(&daemon), line);
}

/// More name servers than a resolver uses.
fn c1_more_name_servers_than_fit() {
    let root = Root::new();
    let asked: Vec<_> = (0..80).map(|number| format!("10.0.{number}.1")).collect();
    let line = format!("nameserver={}", asked.join(" nameserver="));
    let daemon = root.machine().cmdline(&line).running();
    let told = "dockerlaunch: warning: the name servers do not fit into 1,023 bytes: the last are left out\n";
    let log = daemon.log();
    assert!(log.contains(told), "{log}");
    let fitting: String = asked
        .iter()
        .map(|server| format!("nameserver {server}\n"))
        .take(50)
        .collect();
    let written = root.read(RESOLV_CONF);
    assert!(
        written.starts_with(&fitting[..900]) && written.ends_with(".1\n"),
        "{written}"
    );
}

/// The launch writes the file in place, on a file system whose only page another file takes.
fn c1_a_mounted_resolv_conf_on_a_full_file_system() {
    let root = Root::new();
    root.directory("/outer").file(RESOLV_CONF, "under\n");
    let start = root.container().variable(SERVERS.0, SERVERS.1);
    let daemon = start
        .before(full("/outer"))
        .before(file("/outer/resolv.conf", ""))
        .before(file("/outer/full", "x"))
        .before(Before::bind(root.path("/outer/resolv.conf"), RESOLV_CONF))
        .running();
    assert_eq!(of_the_network(&daemon), FULL);
    assert_eq!(daemon.read(RESOLV_CONF), "");
}

/// The kernel accepts 64 bytes.
fn c6_a_long_name_is_shortened() {
    let name = "ip-".repeat(25);
    let root = Root::new();
    for (length, said) in [(64, false), (65, true), (75, true)] {
        root.file("/etc/hostname", &format!("{}\n", &name[..length]));
        let daemon = root.machine().running();
        assert_eq!(host_name(&daemon), name[..64]);
        let line = format!(
            "dockerlaunch: warning: {}: a host name has at most 64 bytes: shortened to {}\n",
            &name[..length],
            &name[..64]
        );
        assert_eq!(
            of_the_network(&daemon),
            if said { line.as_str() } else { "" }
        );
    }
}

/// hostname(5) allows comments. A cloud's own comments can be long.
fn c6_a_file_with_comments() {
    let root = Root::new();
    let long = format!("# {}\nbox\n", "made by hand ".repeat(40));
    for (file, name) in [
        ("# comment\nbox.example\n", "box.example"),
        ("\n\n  box  \n", "box"),
        (&long, "box"),
        ("#box\n", "docker"),
        ("", "docker"),
    ] {
        root.file("/etc/hostname", file);
        let daemon = root.machine().running();
        assert_eq!(
            (
                host_name(&daemon).as_str(),
                of_the_network(&daemon).as_str()
            ),
            (name, "")
        );
    }
    // A file that cannot be read is reported.
    let root = Root::new();
    root.directory("/etc/hostname");
    let daemon = root.machine().running();
    assert_eq!(host_name(&daemon), "docker");
    let line = "dockerlaunch: warning: network /etc/hostname: is a directory (EISDIR)\n";
    assert_eq!(of_the_network(&daemon), line);
}
