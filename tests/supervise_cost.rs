//! What supervision costs: memory, and descriptors after many restarts. The tests use a release program, because its stack is the
//! shipped one: the shipped program itself if the harness names it.

use crate::{
    engine::{events, root},
    program::{as_it_ships, release},
    root::Root,
    running::Running,
    util::{Needs, tests},
};
use std::path::Path;

tests![Needs::Supervise;
    little_memory_while_it_waits,
    a_thousand_restarts_leak_no_descriptor,
];

/// The release program, in place of the one under test.
fn root_with(program: &Path) -> Root {
    let root = root();
    root.program(program);
    root
}

/// In kB: private memory that no file backs, as the kernel counts it.
fn anonymous(running: &Running<'_>) -> u64 {
    let rollup = running.proc("smaps_rollup");
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Waits until it sleeps in ppoll(2), on its four descriptors.
fn until_it_waits(running: &Running<'_>) {
    running.until("waiting", |running| {
        let call = running.proc("syscall");
        let words: Vec<_> = call.split(' ').collect();
        words[0] == "271" && words[2] == "0x4"
    });
}

/// The launch is over, and the command line is shorter than 1 kB.
fn little_memory_while_it_waits() {
    let program = as_it_ships();
    for role in ["machine", "container"] {
        let root = root_with(&program);
        let start = match role {
            "machine" => root.machine(),
            _ => root.container(),
        };
        let running = start
            .variable("DOCKER_LAUNCH_REAP", "true")
            .words(["engine", "notify:READY=1", "wait", "-H", "fd://"])
            .running();
        running.until_said("docker is ready, ");
        until_it_waits(&running);
        let kilobytes = anonymous(&running);
        assert!(kilobytes < 16, "{role}: {kilobytes} kB");
    }
}

/// The descriptor numbers of PID 1 after the daemon has failed so many times.
fn descriptors_after(program: &Path, restarts: usize) -> Vec<u32> {
    let root = root_with(program);
    let failing = format!("exit-before:5:{}", restarts + 1);
    let running = root
        .container()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .variable("DOCKER_LAUNCH_ON_EXIT", "restart")
        .words(["engine", &failing, "event:lasts", "wait", "-H", "fd://"])
        .running();
    running.until_event(&root, "lasts", 1);
    until_it_waits(&running);
    let starts = events(&root)
        .iter()
        .filter(|event| *event == "start")
        .count();
    let loops = running.log().matches("crash loop").count();
    assert_eq!((starts, loops), (restarts + 1, usize::from(restarts >= 5)));
    running
        .descriptors()
        .into_iter()
        .map(|(number, _)| number)
        .collect()
}

fn a_thousand_restarts_leak_no_descriptor() {
    let program = release("impatient", &[("DOCKERLAUNCH_BACKOFF_MS", "0")]);
    let none = descriptors_after(&program, 0);
    assert_eq!(descriptors_after(&program, 1000), none);
}
