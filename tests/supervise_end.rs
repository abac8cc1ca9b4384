//! The end: processes that the daemon leaves, file systems, thousands of orphans, and a PID namespace that belongs to another.

use crate::{
    engine::{container, events, machine, root},
    root::Root,
    running::{Running, Start, signal},
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Supervise;
    processes_left_by_the_daemon_get_sigterm,
    processes_that_ignore_sigterm_get_sigkill,
    everything_is_unmounted,
    a_busy_file_system_is_detached,
    ten_thousand_orphans_are_reaped,
    in_a_foreign_pid_namespace_only_its_children_are_ended,
];

const TERM: &str = "dockerlaunch: SIGTERM to all other processes, which have 5 s\n";
const KILL: &str = "dockerlaunch: SIGKILL to those still running\n";

fn processes_left_by_the_daemon_get_sigterm() {
    let root = root();
    let running = machine(&root).words(["leave:wait:0", "wait"]).running();
    running.until_event(&root, "start", 2);
    running.signal(12);
    let log = running.ended().stderr;
    assert!(log.contains(TERM) && !log.contains(KILL), "{log}");
    // First the daemon gets the signal, then what it has left.
    assert_eq!(events(&root)[2..], ["signal 15", "signal 15"]);
    let daemon = log.find("engine ended with status 0").unwrap();
    assert!(daemon < log.find(TERM).unwrap());
}

fn processes_that_ignore_sigterm_get_sigkill() {
    for start in [machine, container as fn(&Root) -> Start<'_>] {
        let root = root();
        let running = start(&root)
            .words(["leave:wait:stubborn", "wait:7"])
            .running();
        running.until_event(&root, "start", 2);
        running.signal(15);
        let log = running.ended().stderr;
        assert!(log.contains(TERM) && log.contains(KILL), "{log}");
    }
}

/// One mount below another, one over another, and one with a space in its name.
fn everything_is_unmounted() {
    let root = root();
    for directory in ["/a", "/a b"] {
        root.directory(directory);
    }
    let mut start = machine(&root)
        .words(["wait"])
        .before(Before::mount("tmpfs", "/a"));
    start = start
        .before(Before::Directory { at: "/a/b".into() })
        .before(Before::mount("tmpfs", "/a/b"))
        .before(Before::mount("tmpfs", "/a/b"))
        .before(Before::mount("tmpfs", "/a b"));
    let running = start.running();
    let mounted = running.mounts();
    let kept = |at: &str| {
        ["/", "/run", "/proc", "/sys", "/dev"].contains(&at)
            || ["/proc/", "/sys/", "/dev/"]
                .iter()
                .any(|place| at.starts_with(place))
    };
    let count = mounted.iter().filter(|mount| !kept(&mount.at)).count();
    assert!(count >= 4, "{mounted:?}");
    running.signal(12);
    let log = running.ended().stderr;
    assert!(
        log.contains(&format!("dockerlaunch: unmounted: {count}\n")),
        "{count}: {log}"
    );
    assert!(!log.contains("is in use"), "{log}");
}

/// PID 1 itself keeps it busy, through an inherited descriptor: ending processes does not help.
fn a_busy_file_system_is_detached() {
    let root = root();
    root.directory("/a");
    let running = machine(&root)
        .words(["wait"])
        .before(Before::mount("tmpfs", "/a"))
        .before(Before::File {
            at: "/a/file".into(),
            contents: String::new(),
        })
        .before(Before::Open {
            at: "/a/file".into(),
        })
        .running();
    running.signal(12);
    let log = running.ended().stderr;
    let line = "dockerlaunch: warning: /a is in use; it is detached\n";
    assert_eq!(log.matches("is in use").count(), 1, "{log}");
    assert!(
        log.contains(line) && log.contains("dockerlaunch: power off: "),
        "{log}"
    );
}

/// The states of the processes in a PID namespace, as /proc shows them inside.
fn zombies(running: &Running<'_>) -> usize {
    let states = fs::read_dir(running.path("/proc"))
        .unwrap()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.unwrap().path().join("stat")).ok()?;
            Some(stat.rsplit_once(')')?.1.starts_with(" Z"))
        });
    states.filter(|is_zombie| *is_zombie).count()
}

fn ten_thousand_orphans_are_reaped() {
    let root = root();
    let running = machine(&root)
        .words(["orphans:10000", "event:orphaned", "wait"])
        .running();
    running.until_event(&root, "orphaned", 1);
    running.until("reaped", |running| zombies(running) == 0);
    // No orphan was taken for the daemon.
    assert!(!running.log().contains("engine ended"), "{}", running.log());
    running.signal(1);
    running.until_event(&root, "signal 1", 1);
}

/// `--pid=host`: orphans are reparented to it, but it leaves other processes alone.
fn in_a_foreign_pid_namespace_only_its_children_are_ended() {
    let root = root();
    root.loader();
    let running = container(&root)
        .variable("DOCKER_LAUNCH_AS", "container")
        .words(["leave:wait:stubborn", "leave:wait:0", "wait:7"])
        .before(Before::Sleeper {
            program: "/usr/bin/engine".into(),
        })
        .not_pid_1()
        .running();
    running.until_event(&root, "start", 3);
    let children = running.children();
    assert_eq!(
        children.len(),
        2,
        "the children of PID 1 are the sleeper and dockerlaunch"
    );
    signal(children[1], 15);
    // If the sleeper had ended, the status would be another.
    let ended = running.ended();
    assert!(
        ended.status == 7 && ended.stderr.contains(KILL),
        "{ended:?}"
    );
    assert_eq!(
        events(&root)
            .iter()
            .filter(|event| *event == "signal 15")
            .count(),
        3
    );
}
