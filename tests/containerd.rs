//! PID 1 starts containerd before dockerd: when, with what, and what follows when either ends. The stand-ins are named as Docker
//! names them.

use crate::{
    engine::{event, events, notify, wait_for_signals},
    program::release,
    root::Root,
    running::{Running, Start, signal},
    util::{Needs, tests},
};
use nix::sys::signal::SigSet;
use std::{
    env, fs,
    os::{fd::AsRawFd, unix::net::UnixListener},
    process::ExitCode,
};

tests![Needs::Supervise;
    dockerd_starts_when_containerd_is_ready,
    it_has_the_limits_of_the_daemon,
    it_is_started_again_and_dockerd_runs_on,
    it_runs_on_when_dockerd_is_started_again,
    one_that_ends_before_it_is_ready_is_left_to_dockerd,
    one_that_is_never_ready_is_left_to_dockerd,
    one_that_cannot_be_executed_is_left_to_dockerd,
    one_without_its_loader_is_left_to_dockerd,
    another_one_that_serves_its_socket_is_used,
    dockerd_may_be_told_to_start_its_own;
    Needs::Features(&["network", "supervise"]) => a_failed_launch_ends_it
];

/// What it does at each start, one start a line; the last line counts for all later ones.
const LIVES: &str = "/containerd.lives";
const FLAG: &str = "--containerd=/var/run/docker/containerd/containerd.sock";

pub(crate) fn stand_in() -> ExitCode {
    let words: Vec<_> = env::args().collect();
    let before = fs::read_to_string(crate::engine::EVENTS).unwrap_or_default();
    event(&format!("containerd {}", words[1..].join(" ")));
    let lives = fs::read_to_string(LIVES).unwrap();
    let starts = before
        .lines()
        .filter(|line| line.starts_with("containerd "))
        .count();
    let life = lives.lines().nth(starts).or(lives.lines().last()).unwrap();
    let all = SigSet::all();
    all.thread_block().unwrap();
    for verb in life.split(' ') {
        match verb {
            "ready" => {
                event(&env::var("NOTIFY_SOCKET").unwrap());
                notify("READY=1");
            }
            "fail" => return ExitCode::FAILURE,
            "wait" => wait_for_signals(&all, "0"),
            _ => panic!("{verb} is unknown to the stand-in for containerd"),
        }
    }
    ExitCode::SUCCESS
}

fn root(lives: &str) -> Root {
    let root = Root::new();
    root.stand_in("/usr/bin/dockerd")
        .stand_in("/usr/bin/containerd")
        .file(LIVES, lives);
    root
}

fn machine(root: &Root) -> Start<'_> {
    root.machine().variable("DOCKER_LAUNCH_REAP", "auto")
}

/// The daemon's arguments.
fn words(running: &Running<'_>) -> Vec<String> {
    let daemon = child(running, "dockerd");
    let cmdline = fs::read_to_string(format!("/proc/{daemon}/cmdline")).unwrap();
    cmdline.split_terminator('\0').map(String::from).collect()
}

/// The pid of the child with this name.
fn child(running: &Running<'_>, name: &str) -> i32 {
    let is = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
    };
    running.until(name, |running| running.children().iter().any(is));
    running.children().into_iter().find(is).unwrap()
}

fn dockerd_starts_when_containerd_is_ready() {
    let root = root("ready wait");
    let running = machine(&root).words(["dockerd", "-D", "--", "x"]).running();
    // First, so that `--` does not end the flags before it.
    assert_eq!(words(&running), ["dockerd", FLAG, "-D", "--", "x"]);
    let file = "/var/run/docker/containerd/containerd.toml";
    let toml = running.read(&file.replace("/var/run", "/run"));
    assert!(
        toml.contains("root = \"/var/lib/docker/containerd/daemon\"\n"),
        "{toml}"
    );
    assert!(toml.contains("level = \"debug\"\n"), "{toml}");
    running.signal(12);
    let ended = running.ended();
    let config = format!("containerd --config {file}");
    // SIGTERM arrives after dockerd has ended.
    assert_eq!(
        events(&root),
        [&config, "/run/dockerlaunch/containerd", "signal 15"]
    );
    let order = [
        "SIGTERM to dockerd, which has 90 s\n",
        "dockerd was killed by SIGTERM\n",
        "SIGTERM to containerd, which has 5 s\n",
        "containerd ended with status 0\n",
    ];
    let places = order.map(|line| ended.stderr.find(line).expect(line));
    assert!(places.is_sorted(), "{}", ended.stderr);
}

fn it_has_the_limits_of_the_daemon() {
    let root = root("ready wait");
    let running = machine(&root).words(["dockerd"]).running();
    let of = |name, file| {
        let pid = child(&running, name);
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
    };
    for file in ["limits", "oom_score_adj"] {
        assert_eq!(of("containerd", file), of("dockerd", file));
    }
}

fn it_is_started_again_and_dockerd_runs_on() {
    let root = root("ready wait");
    let running = machine(&root).words(["dockerd"]).running();
    let daemon = child(&running, "dockerd");
    signal(child(&running, "containerd"), 9);
    running.until_said("dockerlaunch: containerd was killed by SIGKILL\n");
    running.until_said("dockerlaunch: containerd is started again in 1 s\n");
    running.until_event(&root, "/run/dockerlaunch/containerd", 2);
    assert_eq!(child(&running, "dockerd"), daemon);
}

fn it_runs_on_when_dockerd_is_started_again() {
    let root = root("ready wait");
    let running = machine(&root).words(["dockerd"]).running();
    let containerd = child(&running, "containerd");
    signal(child(&running, "dockerd"), 9);
    running.until_said("dockerlaunch: dockerd is started again in 1 s\n");
    running.until("again", |running| words(running) == ["dockerd", FLAG]);
    assert_eq!(child(&running, "containerd"), containerd);
}

fn one_that_ends_before_it_is_ready_is_left_to_dockerd() {
    let root = root("fail");
    let running = machine(&root).words(["dockerd"]).running();
    assert_eq!(words(&running), ["dockerd"]);
    let line =
        "warning: containerd ended with status 1 before it was ready; dockerd starts its own\n";
    running.until_said(line);
}

/// This build has short timeouts.
fn one_that_is_never_ready_is_left_to_dockerd() {
    let root = root("wait");
    root.program(&release("hasty", &[("DOCKERLAUNCH_BACKOFF_MS", "10")]));
    let running = machine(&root).words(["dockerd"]).running();
    assert_eq!(words(&running), ["dockerd"]);
    running.until_said("warning: containerd is not ready after 60 s; dockerd starts its own\n");
    // dockerd's own needs the files that this one had open.
    assert_eq!(events(&root).last().unwrap(), "signal 15");
    assert_eq!(running.children().len(), 1);
}

fn one_that_cannot_be_executed_is_left_to_dockerd() {
    let root = root("ready wait");
    root.file("/usr/bin/containerd.broken", "rubbish");
    fs::rename(
        root.path("/usr/bin/containerd.broken"),
        root.path("/usr/bin/containerd"),
    )
    .unwrap();
    root.mode("/usr/bin/containerd", 0o755);
    let running = machine(&root).words(["dockerd"]).running();
    assert_eq!(words(&running), ["dockerd"]);
    running.until_said(
        "warning: containerd cannot be started: exec format error (ENOEXEC); dockerd starts its own\n",
    );
}

/// execve(2) says ENOENT, although the program is there.
fn one_without_its_loader_is_left_to_dockerd() {
    let root = root("ready wait");
    fs::remove_file(root.path("/usr/bin/containerd")).unwrap();
    root.file("/usr/bin/containerd", "#!/nowhere\n")
        .mode("/usr/bin/containerd", 0o755);
    let running = machine(&root).words(["dockerd"]).running();
    assert_eq!(words(&running), ["dockerd"]);
    running.until_said("warning: containerd cannot be started: no such file or directory (ENOENT); dockerd starts its own\n");
}

fn another_one_that_serves_its_socket_is_used() {
    let root = root("ready wait");
    root.directory("/exec/containerd");
    let folder = fs::File::open(root.path("/exec/containerd")).unwrap();
    // A path that is short enough wherever the root is.
    let path = format!("/proc/self/fd/{}/containerd.sock", folder.as_raw_fd());
    let serving = UnixListener::bind(path).unwrap();
    let given = ["dockerd", "--exec-root=/exec"];
    let running = machine(&root).words(given).running();
    assert_eq!(words(&running), given);
    assert_eq!(events(&root), [""; 0]);
    drop(running);
    // A socket that nobody serves is of an earlier one.
    drop(serving);
    let running = machine(&root).words(given).running();
    assert_eq!(
        words(&running)[1],
        "--containerd=/exec/containerd/containerd.sock"
    );
}

fn dockerd_may_be_told_to_start_its_own() {
    for (name, value, arguments) in [
        ("DOCKER_LAUNCH_CONTAINERD", "daemon", &[][..]),
        ("DOCKER_LAUNCH_CONTAINERD", "auto", &["--containerd=/x"]),
        (
            "DOCKER_LAUNCH_CONTAINERD",
            "auto",
            &["--feature=embedded-containerd"],
        ),
        ("DOCKER_LAUNCH_AS", "container", &[]),
    ] {
        let root = root("ready wait");
        let given = [&["dockerd"][..], arguments].concat();
        let start = match value {
            "container" => root.container().variable("DOCKER_LAUNCH_REAP", "true"),
            _ => machine(&root).variable(name, value),
        };
        let running = start.words(&given).running();
        assert_eq!(words(&running), given);
        assert_eq!(events(&root), [""; 0]);
    }
}

/// The launch waits for a card, so that the stand-in has started when the launch fails.
fn a_failed_launch_ends_it() {
    let root = root("ready wait");
    fs::remove_file(root.path("/usr/sbin/runc")).unwrap();
    let start = machine(&root).variable("DOCKER_LAUNCH_IP", "10.0.0.2/24::::eth9");
    let ended = start.words(["dockerd"]).ended();
    assert_eq!(ended.status, 125, "{}", ended.stderr);
    assert_eq!(events(&root).last().unwrap(), "signal 15");
}
