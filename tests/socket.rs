//! Socket activation: with `-H fd://` the daemon gets the listening socket /run/docker.sock as descriptor 3. Clients can connect
//! before the daemon accepts. Inherited sockets are passed on.

use crate::{
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};
use rustix::{
    net::accept,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};
use std::{
    io::{Read, Write},
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::{UnixListener, UnixStream},
    },
};

tests![Needs::Root;
    a_client_connects_before_the_daemon_accepts,
    each_spelling_of_fd_activates_the_socket,
    combined_short_flags_activate_the_socket,
    without_fd_there_is_no_socket,
    the_socket_belongs_to_root_and_docker,
    an_old_socket_is_replaced,
    inherited_sockets_are_passed_on,
];

const SOCKET: &str = "/run/docker.sock";

/// Descriptor 3 is a socket, and the environment says so.
fn is_activated(daemon: &Running<'_>) -> bool {
    let passed = daemon
        .descriptors()
        .iter()
        .any(|(number, what)| *number == 3 && what.starts_with("socket:"));
    let environment = daemon.environment();
    let told = ["LISTEN_FDS=1", "LISTEN_PID=1"]
        .iter()
        .all(|variable| environment.contains(&(*variable).into()));
    assert_eq!(passed, told, "{environment:?}");
    assert_eq!(passed, daemon.path(SOCKET).exists());
    assert_eq!(daemon.descriptors().len(), if passed { 4 } else { 3 });
    passed
}

/// The stand-in never accepts: the test accepts on a copy of the daemon's descriptor 3.
fn a_client_connects_before_the_daemon_accepts() {
    let root = Root::new();
    let daemon = root.machine().words(["-H", "fd://"]).running();
    assert!(is_activated(&daemon));
    let mut client = UnixStream::connect(daemon.path(SOCKET)).unwrap();
    client.write_all(b"GET /_ping").unwrap();

    let pid = pidfd_open(Pid::from_raw(daemon.pid).unwrap(), PidfdFlags::empty()).unwrap();
    let listener = pidfd_getfd(&pid, 3, PidfdGetfdFlags::empty()).unwrap();
    let accepted = accept(&listener).unwrap();
    let mut request = [0; 10];
    assert_eq!(rustix::io::read(&accepted, &mut request), Ok(10));
    assert_eq!(&request, b"GET /_ping");
    rustix::io::write(&accepted, b"OK").unwrap();
    drop(accepted);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "OK");
}

fn each_spelling_of_fd_activates_the_socket() {
    let root = Root::new();
    for words in [
        &["-H", "fd://"][..],
        &["-Hfd://"],
        &["-H=fd://"],
        &["--host", "fd://"],
        &["--host=fd://"],
        &[
            "-H",
            "tcp://127.0.0.1:2375",
            "-D",
            "-H",
            "fd://docker.socket",
        ],
    ] {
        let daemon = root.machine().words(words).running();
        assert!(is_activated(&daemon), "{words:?}");
        // The arguments stay: dockerd reads them, too.
        assert_eq!(daemon.words()[1..], *words);
    }
    root.file(
        "/etc/docker/daemon.json",
        r#"{"debug": true, "hosts": ["tcp://127.0.0.1:2375", "fd://"]}"#,
    );
    assert!(is_activated(&root.machine().running()));
    root.file("/other.json", r#"{"hosts": ["fd://"]}"#)
        .file("/etc/docker/daemon.json", "{}");
    assert!(is_activated(
        &root
            .machine()
            .words(["--config-file", "/other.json"])
            .running()
    ));
}

/// pflag, with which dockerd reads its arguments, allows this.
fn combined_short_flags_activate_the_socket() {
    let root = Root::new();
    assert!(is_activated(
        &root.machine().words(["-DH", "fd://"]).running()
    ));
    assert!(is_activated(&root.machine().words(["-DHfd://"]).running()));
}

fn without_fd_there_is_no_socket() {
    let root = Root::new();
    root.file(
        "/etc/docker/daemon.json",
        r#"{"labels": ["fd://"], "x": {"hosts": ["fd://"]}}"#,
    );
    for words in [
        &[][..],
        &["-H", "unix:///run/docker.sock"],
        &["--label", "fd://"],
        &["--hostname=fd://"],
    ] {
        assert!(
            !is_activated(&root.machine().words(words).running()),
            "{words:?}"
        );
    }
}

fn the_socket_belongs_to_root_and_docker() {
    for (group, expected) in [
        ("root:x:0:\ndockers:x:7:\ndocker:x:4321:someone\n", 4321),
        ("root:x:0:\n", 0),
    ] {
        let root = Root::new();
        root.file("/etc/group", group);
        // The umask must not matter.
        let daemon = root
            .machine()
            .words(["-H", "fd://"])
            .before(Before::Umask(0o077))
            .running();
        let socket = daemon.path(SOCKET).metadata().unwrap();
        assert!(socket.file_type().is_socket());
        assert_eq!(
            (socket.mode() & 0o7777, socket.uid(), socket.gid()),
            (0o660, 0, expected)
        );
    }
}

fn an_old_socket_is_replaced() {
    let root = Root::new();
    root.directory("/run");
    drop(UnixListener::bind(root.path(SOCKET)).unwrap());
    // Bound onto itself, /run stays, with what an earlier launch left there.
    let daemon = root
        .machine()
        .before(Before::bind(root.path("/run"), "/run"))
        .words(["-H", "fd://"])
        .running();
    assert!(is_activated(&daemon));
    // Nothing listened on the old socket.
    UnixStream::connect(daemon.path(SOCKET)).unwrap();
}

fn inherited_sockets_are_passed_on() {
    let root = Root::new();
    root.file("/first", "")
        .file("/second", "")
        .file("/third", "");
    let mut start = root.machine().words(["-H", "fd://"]);
    for at in ["/first", "/second", "/third"] {
        start = start.before(Before::Open { at: at.into() });
    }
    let daemon = start
        .variable("LISTEN_PID", "1")
        .variable("LISTEN_FDS", "2")
        .variable("LISTEN_FDNAMES", "a:b")
        .running();
    let passed = daemon.descriptors().split_off(3);
    assert_eq!(passed, [(3, "/first".into()), (4, "/second".into())]);
    let environment = daemon.environment();
    for variable in ["LISTEN_PID=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"] {
        assert!(environment.contains(&variable.into()), "{environment:?}");
    }
    assert!(!daemon.path(SOCKET).exists());
}
