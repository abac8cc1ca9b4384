//! Pid files left by a power failure or a kill: the launch removes those that name PID 1, no process, or a process of another
//! program. It leaves a pid file whose program runs.

use crate::{
    root::Root,
    util::{Before, Needs, tests},
};

tests![Needs::Root;
    stale_pid_files_are_removed,
    the_pid_file_of_a_running_daemon_stays,
    the_daemon_of_another_container_does_not_count,
    flags_say_where_pid_files_are,
    daemon_json_says_where_pid_files_are,
    other_values_of_daemon_json_may_be_long,
];

/// Starts with these files and a dockerd as PID 2. Returns the files that are left, and the log.
fn left(files: &[(&str, &str)], words: &[&str]) -> (Vec<String>, String) {
    let root = Root::new();
    root.stand_in("/usr/bin/containerd");
    // What runs before the launch needs its loader.
    root.loader();
    for (file, contents) in files {
        root.file(file, contents);
    }
    let run = |program: &str| Before::Sleeper {
        program: program.into(),
    };
    let daemon = root
        .machine()
        .before(Before::bind(root.directory("/run").path("/run"), "/run"))
        .before(run("/usr/bin/dockerd"))
        .before(run("/usr/bin/containerd"))
        .words(words)
        .running();
    let left = files
        .iter()
        .map(|(file, _)| *file)
        .filter(|file| root.path(file).exists());
    (left.map(String::from).collect(), daemon.log())
}

const DOCKER: &str = "/run/docker.pid";
const CONTAINERD: &str = "/run/docker/containerd/containerd.pid";

fn stale_pid_files_are_removed() {
    for contents in [
        "1",
        "1\n",   // this process
        "99999", // no process
        "3",     // a containerd
        "",
        "\n",
        "-2",
        "2 2",
        "x",
        "18446744073709551618", // no possible pid
        "1111111111111111111111111111111111111111111111111111111111111111111111", // longer than any pid
    ] {
        let (left, log) = left(&[(DOCKER, contents)], &["dockerd"]);
        assert_eq!(left, [""; 0], "{contents:?}");
        assert!(
            log.contains("dockerlaunch: removed the stale pid file /var/run/docker.pid\n"),
            "{log}"
        );
    }
    for contents in ["1", "99999", "2"] {
        let (left, log) = left(&[(CONTAINERD, contents)], &["dockerd"]);
        assert_eq!(left, [""; 0], "{contents:?}");
        let line =
            "dockerlaunch: removed the stale pid file /var/run/docker/containerd/containerd.pid\n";
        assert!(log.contains(line), "{log}");
    }
}

fn the_pid_file_of_a_running_daemon_stays() {
    for contents in ["2", "2\n"] {
        let (left, log) = left(&[(DOCKER, contents), (CONTAINERD, "3")], &["dockerd"]);
        assert_eq!(left, [DOCKER, CONTAINERD]);
        assert!(!log.contains("stale"), "{log}");
    }
}

/// docker run --pid=host
fn the_daemon_of_another_container_does_not_count() {
    let root = Root::new();
    root.loader().directory("/other").file(DOCKER, "2");
    let stranger = Before::Stranger {
        program: "/usr/bin/dockerd".into(),
        root: "/other".into(),
    };
    let daemon = root
        .container()
        .before(Before::bind(root.path("/run"), "/run"))
        .before(stranger)
        .running();
    let line = "dockerlaunch: removed the stale pid file /var/run/docker.pid\n";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    assert!(!root.path(DOCKER).exists());
}

fn flags_say_where_pid_files_are() {
    let elsewhere = "/srv/exec/containerd/containerd.pid";
    for pidfile in [
        &["--pidfile", "/srv/d.pid"][..],
        &["--pidfile=/srv/d.pid"],
        &["-p/srv/d.pid"],
        &["-p", "/srv/d.pid"],
    ] {
        let words = [&["dockerd", "--exec-root=/srv/exec"], pidfile].concat();
        let files = [
            ("/srv/d.pid", "1"),
            (elsewhere, "1"),
            (DOCKER, "1"),
            (CONTAINERD, "1"),
        ];
        // This daemon does not use the usual places.
        assert_eq!(left(&files, &words).0, [DOCKER, CONTAINERD], "{words:?}");
    }
}

fn daemon_json_says_where_pid_files_are() {
    let json = (
        "/etc/docker/daemon.json",
        r#"{"pidfile": "/srv/d.pid", "exec-root": "/srv/exec"}"#,
    );
    let files = [
        json,
        ("/srv/d.pid", "1"),
        ("/srv/exec/containerd/containerd.pid", "99999"),
        (DOCKER, "1"),
    ];
    assert_eq!(left(&files, &["dockerd"]).0, [json.0, DOCKER]);
    // A flag takes precedence.
    assert_eq!(
        left(&files, &["dockerd", "-p", DOCKER]).0,
        [json.0, "/srv/d.pid"]
    );
}

/// The value is longer than any path, and no pid file.
fn other_values_of_daemon_json_may_be_long() {
    let json = format!(
        r#"{{"seccomp-profile": "{}", "pidfile": "/srv/d.pid"}}"#,
        "x".repeat(5000)
    );
    let files = [
        ("/etc/docker/daemon.json", json.as_str()),
        ("/srv/d.pid", "1"),
    ];
    assert_eq!(left(&files, &["dockerd"]).0, ["/etc/docker/daemon.json"]);
}
