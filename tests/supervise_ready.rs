//! Readiness: only the daemon's own notification counts, it is logged once for each daemon, and the program of
//! DOCKER_LAUNCH_READY runs once.

use crate::{
    engine::{events, machine, root},
    program::release,
    running::mode,
    util::{Needs, tests},
};
use std::{fs, os::unix::net::UnixDatagram, time::Duration};

tests![Needs::Supervise;
    readiness_is_logged_with_the_time_since_kernel_start,
    ready_from_another_process_is_ignored,
    a_reload_is_not_a_new_start,
    the_program_runs_once,
    a_program_that_fails_or_is_missing_is_a_warning,
    an_outer_supervisor_is_notified,
    a_late_daemon_is_reported_once,
];

const IS_READY: &str = "dockerlaunch: docker is ready, ";

fn readiness_is_logged_with_the_time_since_kernel_start() {
    let root = root();
    let running = machine(&root)
        .words(["notify:STATUS=x\nREADY=1\nMAINPID=7", "wait"])
        .running();
    running.until_said(" ms after kernel start\n");
    let log = running.log();
    let (_, said) = log.split_once(IS_READY).unwrap();
    let told: f64 = said.split_once(" ms").unwrap().0.parse().unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    // The kernel shows its uptime in hundredths of a second.
    assert!((-0.02..30.0).contains(&(uptime - told / 1000.0)), "{log}");
    assert_eq!(mode(&running.path("/run/dockerlaunch")), 0o700);
    running.signal(12);
    assert_eq!(running.ended().stderr.matches(IS_READY).count(), 1);
}

fn ready_from_another_process_is_ignored() {
    let root = root();
    let running = machine(&root)
        .words(["child:notify:READY=1", "notify:STOPPING=1", "wait"])
        .variable("DOCKER_LAUNCH_DEBUG", "true")
        .running();
    // This notification came after the child's.
    running.until_said(" ms] engine is stopping\n");
    assert!(!running.log().contains(IS_READY), "{}", running.log());
}

fn a_reload_is_not_a_new_start() {
    let root = root();
    let running = machine(&root)
        .words([
            "notify:READY=1",
            "notify:RELOADING=1",
            "notify:READY=1",
            "notify:RELOADING=1",
            "wait",
        ])
        .running();
    let line = "dockerlaunch: engine reloads its configuration\n";
    running.until("reloaded", |running| {
        running.log().matches(line).count() == 2
    });
    assert_eq!(running.log().matches(IS_READY).count(), 1);
}

fn the_program_runs_once() {
    let root = root();
    root.stand_in("/usr/bin/ready/engine");
    let running = machine(&root)
        .words(["-H", "fd://", "notify:READY=1", "exit-before:3:8", "wait"])
        .variable("DOCKER_LAUNCH_READY", "/usr/bin/ready/engine")
        .variable("NOTIFY_SOCKET", "/not-for-it")
        .variable("ONLY", "this")
        .running();
    running.until("ready twice", |running| {
        running.log().matches(IS_READY).count() == 2
    });
    running.signal(12);
    running.ended();
    let alone = events(&root)
        .iter()
        .filter(|event| *event == "alone")
        .count();
    assert_eq!(alone, 1, "{:?}", events(&root));
    assert!(
        events(&root).contains(&"HOME=/root ONLY=this PATH leads: true".into()),
        "{:?}",
        events(&root)
    );
}

fn a_program_that_fails_or_is_missing_is_a_warning() {
    for (program, line) in [
        ("/usr/bin/false", "/usr/bin/false ended with status 1\n"),
        (
            "/no/such",
            "exec /no/such: no such file or directory (ENOENT)",
        ),
    ] {
        let root = root();
        root.stand_in("/usr/bin/false");
        let running = machine(&root)
            .words(["notify:READY=1", "wait"])
            .variable("DOCKER_LAUNCH_READY", program)
            .running();
        running.until_said(&format!("dockerlaunch: warning: {line}"));
        running.signal(12);
        assert_eq!(running.ended().status, 0);
    }
}

fn an_outer_supervisor_is_notified() {
    let root = root();
    let outer = UnixDatagram::bind(root.path("/outer")).unwrap();
    outer
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let running = root
        .container()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .variable("NOTIFY_SOCKET", "/outer")
        .words(["engine", "notify:READY=1", "wait"])
        .running();
    let mut buffer = [0; 64];
    let length = outer.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    drop(running);
}

/// This build has short timeouts.
fn a_late_daemon_is_reported_once() {
    let root = root();
    root.program(&release("hasty", &[("DOCKERLAUNCH_BACKOFF_MS", "10")]));
    let running = machine(&root)
        .words(["wait@1", "notify:READY=1", "wait"])
        .running();
    let line = "dockerlaunch: warning: engine is not ready after 120 s; still waiting\n";
    running.until_said(line);
    running.signal(1);
    running.until_said(IS_READY);
    running.signal(12);
    assert_eq!(running.ended().stderr.matches(line).count(), 1);
}
