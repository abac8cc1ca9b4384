//! What a signal to PID 1 means: on the machine a shutdown, in a container one TERM to the daemon or the signal itself.

use crate::{
    engine::{self, events, root},
    root::Root,
    running::Running,
    util::{Needs, tests},
};

tests![Needs::Supervise;
    the_machine_ends_by_each_signal,
    the_machine_passes_on_only_hup,
    a_containers_daemon_gets_one_sigterm,
    a_containers_daemon_gets_all_other_signals,
    a_second_request_shortens_the_wait,
    the_daemon_begins_as_if_it_had_replaced_pid_1,
];

fn machine<'r>(root: &'r Root, words: &[&str]) -> Running<'r> {
    engine::machine(root).words(words).running()
}

fn container<'r>(root: &'r Root, words: &[&str]) -> Running<'r> {
    engine::container(root).words(words).running()
}

/// The signal, and what is logged.
const MACHINE: &[(u32, &str, &str)] = &[
    (12, "SIGUSR2: power off", "power off: "),
    (30, "SIGPWR: power off", "power off: "),
    (38, "signal 38: power off", "power off: "),
    (10, "SIGUSR1: halt", "halt: "),
    (37, "signal 37: halt", "halt: "),
    (15, "SIGTERM: reboot", "reboot: "),
    (2, "SIGINT: reboot", "reboot: "),
    (39, "signal 39: reboot", "reboot: "),
];

fn the_machine_ends_by_each_signal() {
    for (signal, asked, done) in MACHINE {
        let root = root();
        let running = machine(&root, &["wait"]);
        running.signal(*signal);
        let ended = running.ended();
        for words in [
            format!("dockerlaunch: {asked}\n"),
            "dockerlaunch: SIGTERM to engine, which has 90 s\n".into(),
            "dockerlaunch: engine ended with status 0\n".into(),
            format!("dockerlaunch: {done}not the first PID namespace; PID 1 ends instead\n"),
        ] {
            assert!(ended.stderr.contains(&words), "{words}: {}", ended.stderr);
        }
        assert_eq!(
            (ended.status, events(&root)),
            (0, vec!["start".into(), "signal 15".into()])
        );
    }
}

fn the_machine_passes_on_only_hup() {
    let root = root();
    let running = machine(&root, &["wait"]);
    for signal in [3, 28, 36, 40, 1] {
        running.signal(signal);
    }
    running.until_event(&root, "signal 1", 1);
    running.signal(15);
    running.ended();
    assert_eq!(events(&root), ["start", "signal 1", "signal 15"]);
}

fn a_containers_daemon_gets_one_sigterm() {
    for signal in [15, 2, 30, 37, 38] {
        let root = root();
        let running = container(&root, &["wait:7@10"]);
        for _ in 0..3 {
            running.signal(signal);
            running.until_event(&root, "signal 15", 1);
        }
        running.signal(10);
        let ended = running.ended();
        let expected = ["start", "signal 15", "signal 10"];
        assert_eq!(
            (ended.status, events(&root)),
            (7, expected.map(String::from).into())
        );
    }
}

fn a_containers_daemon_gets_all_other_signals() {
    let root = root();
    let running = container(&root, &["wait:7"]);
    let mut expected = vec!["start".to_string()];
    for signal in
        (1..=64).filter(|signal| ![2, 9, 15, 17, 18, 19, 30, 32, 33, 37, 38].contains(signal))
    {
        running.signal(signal);
        let event = format!("signal {signal}");
        running.until_event(&root, &event, 1);
        expected.push(event);
    }
    assert_eq!(events(&root), expected);
    running.signal(15);
    assert_eq!(running.ended().status, 7);
}

/// Without it the daemon would take all the time that it has.
fn a_second_request_shortens_the_wait() {
    let root = root();
    let running = machine(&root, &["wait:stubborn"]);
    running.signal(12);
    running.until_event(&root, "signal 15", 1);
    running.signal(12);
    let ended = running.ended();
    for words in [
        "dockerlaunch: second request: engine has 5 s left\n",
        "dockerlaunch: warning: engine has not ended in time: SIGKILL\n",
        "dockerlaunch: engine was killed by SIGKILL\n",
        "dockerlaunch: power off: ",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert_eq!(events(&root), ["start", "signal 15"]);
}

fn the_daemon_begins_as_if_it_had_replaced_pid_1() {
    let root = root();
    let running = root
        .container()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .variable("NOTIFY_SOCKET", "/outer")
        .words(["engine", "status", "wait", "-H", "fd://"])
        .running();
    let expected = [
        "SigBlk:\t0000000000000000",
        "leads its session: true",
        "HOME=/root",
        "LISTEN_FDS=1",
        "LISTEN_PID=own pid",
        "NOTIFY_SOCKET=/run/dockerlaunch/notify",
        "fd 0",
        "fd 1",
        "fd 2",
        "fd 3",
        "start",
    ];
    let mut found = events(&root);
    found.retain(|event| {
        !["SigIgn", "SigCgt", "PATH"]
            .iter()
            .any(|word| event.starts_with(word))
    });
    assert_eq!(found, expected);
    running.signal(15);
    assert_eq!(running.ended().status, 0);
}
