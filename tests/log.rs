//! What the program logs: nothing unless needed; with DOCKER_LAUNCH_DEBUG a line for each step with the time since kernel start;
//! and input never looks like one of the program's own lines.

use crate::{
    root::Root,
    running::said,
    util::{Needs, tests},
};
use std::fs;

tests![Needs::Root;
    debug_logs_each_step_and_its_time,
    without_debug_nothing_is_logged,
    a_long_argument_is_logged_in_full,
];

fn milliseconds() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    (seconds * 1000.0) as u64
}

fn debug_logs_each_step_and_its_time() {
    let root = Root::new();
    let before = milliseconds();
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_DEBUG", "true")
        .running();
    let log = daemon.log();
    let lines: Vec<(u64, &str)> = log
        .lines()
        .filter_map(|line| line.strip_prefix("dockerlaunch: [")?.split_once(" ms] "))
        .map(|(time, text)| (time.parse().unwrap(), text))
        .collect();
    assert!(lines.is_sorted_by_key(|(time, _)| *time), "{lines:?}");
    // /proc/uptime is rounded.
    assert!(
        lines[0].0 + 10 >= before && lines.last().unwrap().0 <= milliseconds() + 10,
        "{before} {lines:?}"
    );
    let steps = [
        "mounted /dev",
        "/ is shared",
        "mounted cgroups",
        "directories, links",
        "exec /usr/bin/dockerd",
    ];
    let mut told = lines.iter();
    for step in steps {
        assert!(
            told.any(|(_, text)| text.starts_with(step)),
            "{step}: {log}"
        );
    }
    assert!(told.next().is_none(), "{log}");
}

fn without_debug_nothing_is_logged() {
    let root = Root::new();
    assert_eq!(said(&root.machine().running().log()), "");
}

/// Longer than any buffer, and with control sequences for terminals.
fn a_long_argument_is_logged_in_full() {
    let root = Root::new();
    let value = format!("{}\x1b[2J\n\u{e9}", "x".repeat(9000));
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_UNKNOWN", &value)
        .running();
    let told = value.replace(['\x1b', '\n'], "?");
    let line = format!(
        "dockerlaunch: warning: DOCKER_LAUNCH_UNKNOWN={told} is not a setting of dockerlaunch; it is ignored\n"
    );
    assert!(daemon.log().contains(&line), "{}", daemon.log());
}
