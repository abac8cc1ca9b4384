//! PID 1 with a log that accepts no output: it starts the daemon, ends when it gets a signal, and reports dropped lines.

use crate::{
    held_log::{LINES, SOON, fill, held_terminal, set_nonblocking, terminal},
    root::Root,
    running::Running,
    util::{LIMIT, Needs, tests},
};
use nix::{
    fcntl::OFlag,
    sys::stat::Mode,
    unistd::{mkfifo, ttyname},
};
use std::{
    fs::File,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

tests![Needs::Supervise;
    b3_nothing_hangs_without_proc,
    b3_a_signal_ends_pid_1_despite_a_full_pipe,
    b3_a_signal_ends_pid_1_despite_a_stopped_terminal,
    b3_pid_1_reports_dropped_lines_without_a_further_line,
    b3_a_report_begins_on_a_new_line,
];

/// Makes a FIFO the standard error of PID 1 and returns its reading end.
fn fifo(root: &Root) -> File {
    let path = root.namespaces().stderr;
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .unwrap()
}

fn fill_fifo(root: &Root) {
    let path = root.namespaces().stderr;
    fill(&File::options().write(true).open(path).unwrap().into());
}

fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn ends_within(daemon: &Running<'_>, limit: Duration) {
    let begin = Instant::now();
    while exists(daemon.pid) {
        assert!(begin.elapsed() < limit, "PID 1 hangs");
        sleep(Duration::from_millis(10));
    }
}

/// PID 1 cannot reopen its pipe before /proc is mounted.
fn b3_nothing_hangs_without_proc() {
    let root = Root::new();
    let mut reads = fifo(&root);
    fill_fifo(&root);
    let mut start = root.machine();
    for number in 1..LINES {
        start = start.variable(format!("DOCKER_LAUNCH_UNKNOWN_{number:03}"), "x");
    }
    let daemon = start.running();
    let mut text = Vec::new();
    let _ = reads.read_to_end(&mut text);
    assert!(!String::from_utf8(text).unwrap().contains("UNKNOWN"));
    drop(daemon);
}

const TERM: u32 = 15;

fn b3_a_signal_ends_pid_1_despite_a_full_pipe() {
    let root = Root::new();
    let _reads = fifo(&root);
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .running();
    fill_fifo(&root);
    daemon.signal(TERM);
    ends_within(&daemon, SOON);
}

fn b3_a_signal_ends_pid_1_despite_a_stopped_terminal() {
    let root = Root::new();
    let (_master, slave) = held_terminal();
    let mut start = root.machine().variable("DOCKER_LAUNCH_REAP", "true");
    start.namespaces.stderr = ttyname(&slave).unwrap();
    let daemon = start.running();
    daemon.signal(TERM);
    ends_within(&daemon, SOON);
}

/// Reads until a report of dropped lines arrives, and returns their number.
fn until_report(reads: &mut File, daemon: &Running<'_>) -> (String, u32) {
    const REPORT: &str = " lines were dropped: the log was not read\n";
    set_nonblocking(&reads, true);
    let (mut text, begin) = (String::new(), Instant::now());
    while !text.contains(REPORT) {
        assert!(
            begin.elapsed().as_secs() < LIMIT.cast_unsigned() && exists(daemon.pid),
            "{text}"
        );
        let mut more = Vec::new();
        let _ = reads.read_to_end(&mut more);
        text.push_str(&String::from_utf8(more).unwrap());
        sleep(Duration::from_millis(20));
    }
    let (before, _) = text.split_once(REPORT).unwrap();
    let number = before
        .rsplit_once("dockerlaunch: warning: ")
        .unwrap()
        .1
        .parse()
        .unwrap();
    (text, number)
}

fn b3_pid_1_reports_dropped_lines_without_a_further_line() {
    let root = Root::new();
    let mut reads = fifo(&root);
    fill_fifo(&root);
    let mut start = root.machine().variable("DOCKER_LAUNCH_REAP", "true");
    for number in 1..=3 {
        start = start.variable(format!("DOCKER_LAUNCH_UNKNOWN_{number}"), "x");
    }
    let daemon = start.running();
    let (text, number) = until_report(&mut reads, &daemon);
    // Whether the warnings about cgroups and modprobe appear depends on the test machine.
    assert!(number >= 3 && !text.contains("UNKNOWN"), "{text}");
}

/// The terminal has accepted the beginning of a line when the line is dropped.
fn b3_a_report_begins_on_a_new_line() {
    let root = Root::new();
    let (master, slave) = terminal();
    let mut start = root.machine().variable("DOCKER_LAUNCH_REAP", "true");
    start.namespaces.stderr = ttyname(&slave).unwrap();
    for number in 1..LINES {
        start = start.variable(format!("DOCKER_LAUNCH_UNKNOWN_{number:03}"), "x".repeat(60));
    }
    let daemon = start.running();
    let (text, number) = until_report(&mut File::from(master), &daemon);
    assert!(
        text.lines().all(|line| line.starts_with("dockerlaunch: ")),
        "{text}"
    );
    let whole = text
        .lines()
        .filter(|line| line.ends_with(" is not a setting of dockerlaunch; it is ignored"));
    let whole = u32::try_from(whole.count()).unwrap();
    let all = u32::try_from(LINES).unwrap() - 1;
    // Every line is either logged or counted, including the lines that depend on the test machine.
    assert!(
        whole + number >= all && whole < all,
        "{whole} and {number}: {text}"
    );
}
