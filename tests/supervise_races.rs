//! A daemon that dies at the worst moment: before each system call of PID 1 in turn, and at random.

use crate::{
    engine::{container, events, root},
    program::release,
    root::Root,
    running::{Running, Start, signal},
    tracer::{Then, trace},
    util::{Needs, tests},
};
use std::{
    env, fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

tests![Needs::Supervise;
    b1_a_daemon_that_dies_between_any_two_calls_is_started_again,
    b1_a_daemon_that_dies_between_any_two_calls_does_not_delay_a_shutdown,
    b1_an_orphan_that_dies_between_any_two_calls_is_reaped,
    b1_a_flood_of_signals_delays_nothing,
    b1_daemons_that_end_beside_an_orphan_are_started_again,
];

/// A root with a build that starts the daemon again immediately.
fn impatient() -> Root {
    let root = root();
    root.program(&release("impatient", &[("DOCKERLAUNCH_BACKOFF_MS", "0")]));
    root
}

/// A container that starts its daemon again.
fn restarting(root: &Root) -> Start<'_> {
    container(root).variable("DOCKER_LAUNCH_ON_EXIT", "restart")
}

const PPOLL: i64 = 271;
/// Only a wait for a daemon that is dead takes longer than this.
const SOON: Duration = Duration::from_secs(20);

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit_once(')').unwrap().1.starts_with(" Z")
    })
}

fn kill_and_see_it_dead(pid: i32) {
    signal(pid, 9);
    while !is_zombie(pid) {}
}

/// A signal wakes PID 1. `victim` dies before its call number `at`, or, if PID 1 sleeps again before that, before that sleep.
/// Returns whether PID 1 slept first.
fn dies_at_call(running: &Running<'_>, at: usize, wake: u32, victim: i32) -> bool {
    running.until("asleep", |running| {
        running.proc("syscall").starts_with("271 ")
    });
    let (mut count, mut sleeps) = (0, false);
    let wake = || signal(running.pid, wake);
    trace(running.pid, false, wake, |call| {
        count += 1;
        // The first call is the sleep that the tracer interrupted.
        sleeps = count > 1 && call.number == PPOLL;
        if count <= at && !sleeps {
            return Then::GoOn;
        }
        kill_and_see_it_dead(victim);
        Then::Leave
    });
    sleeps
}

/// Repeats this for call after call, until one turn of the loop is complete: it has more calls than these.
fn at_each_call(mut each: impl FnMut(usize) -> bool) {
    let calls = (0..).take_while(|at| !each(*at)).count();
    assert!(
        calls >= 4,
        "one turn of the loop has more than {calls} calls"
    );
}

fn starts(root: &Root) -> usize {
    events(root)
        .iter()
        .filter(|event| *event == "start")
        .count()
}

fn b1_a_daemon_that_dies_between_any_two_calls_is_started_again() {
    let root = impatient();
    let running = restarting(&root).words(["wait"]).running();
    at_each_call(|at| {
        let started = starts(&root);
        let daemon = running.children()[0];
        // PID 1 passes HUP on to the daemon: it wakes, sends it and sleeps again.
        let slept = dies_at_call(&running, at, 1, daemon);
        // No other signal wakes PID 1.
        running.until_event(&root, "start", started + 1);
        slept
    });
}

fn b1_a_daemon_that_dies_between_any_two_calls_does_not_delay_a_shutdown() {
    at_each_call(|at| {
        let root = root();
        let running = restarting(&root).words(["wait:stubborn"]).running();
        running.signal(15);
        running.until_event(&root, "signal 15", 1);
        let since = Instant::now();
        // PID 1 passes USR1 on to the daemon.
        let slept = dies_at_call(&running, at, 10, running.children()[0]);
        let ended = running.ended();
        assert_eq!(ended.status, 137, "{at}: {}", ended.stderr);
        assert!(since.elapsed() < SOON, "{at}: {:?}", since.elapsed());
        slept
    });
}

fn b1_an_orphan_that_dies_between_any_two_calls_is_reaped() {
    const ORPHANS: usize = 24;
    let root = root();
    let running = restarting(&root)
        .words(["child:leave:wait:stubborn"; ORPHANS])
        .words(["event:orphans", "wait"])
        .running();
    running.until_event(&root, "orphans", 1);
    running.until_event(&root, "start", 1 + 2 * ORPHANS);
    at_each_call(|at| {
        let orphan = running.children()[ORPHANS - at];
        let slept = dies_at_call(&running, at, 1, orphan);
        running.until("reaped", |running| !running.children().contains(&orphan));
        slept
    });
}

/// More signals than PID 1 reads in one turn, and the death of the daemon among them: 300 real-time signals, each of which the
/// kernel queues, and which mean nothing on the machine.
fn b1_a_flood_of_signals_delays_nothing() {
    let root = impatient();
    let start = root.machine().variable("DOCKER_LAUNCH_REAP", "auto");
    let running = start.words(["engine", "wait"]).running();
    for round in 1..=3 {
        let daemon = running.children()[0];
        let flood = format!(
            "i=0; while [ $i -lt 300 ]; do kill -40 {0}; i=$((i + 1)); [ $i = 150 ] && kill -9 {daemon}; done; true",
            running.pid
        );
        let status = Command::new("sh").args(["-c", &flood]).status().unwrap();
        assert!(status.success());
        running.until_event(&root, "start", round + 1);
    }
    running.signal(15);
    assert!(running.ended().stderr.contains("SIGTERM: reboot"));
}

/// How many daemons end: `DOCKERLAUNCH_STRESS=20000 cargo test --test main -- b1_daemons` takes some minutes.
fn stress() -> usize {
    env::var("DOCKERLAUNCH_STRESS").map_or(300, |count| count.parse().unwrap())
}

/// Each daemon ends within 150 us of an orphan of its own.
fn b1_daemons_that_end_beside_an_orphan_are_started_again() {
    let root = impatient();
    let running = restarting(&root).words(["race"]).running();
    let (mut last, mut since) = (0, Instant::now());
    while last < stress() {
        sleep(Duration::from_millis(20));
        let ends = running.log().matches("engine ended with status 7").count();
        if ends > last {
            (last, since) = (ends, Instant::now());
        }
        assert!(since.elapsed() < SOON, "PID 1 stalls after {last} ends");
    }
}
