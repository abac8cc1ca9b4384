//! A daemon that ends by itself: what is logged, what follows, and that clients wait for the next daemon.

use crate::{
    engine::{container, events, machine, root},
    program::release,
    root::Root,
    running::{Running, signal},
    util::{Before, Needs, tests},
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

tests![Needs::Supervise;
    the_daemon_is_started_again,
    each_policy_on_the_machine,
    a_container_ends_as_its_daemon_did,
    a_container_restarts_it_if_the_setting_says_so,
    a_crash_loop_is_reported_once,
    a_request_between_two_daemons_is_followed,
    a_client_that_connects_between_two_daemons_is_served,
    every_daemon_gets_the_inherited_sockets,
    stale_pid_files_are_removed_before_each_start,
    a_daemon_that_cannot_be_executed_is_a_failed_launch,
    a_daemon_that_can_no_longer_be_executed_is_tried_again,
];

fn says(running: &Running<'_>, words: &str) {
    running.until_said(&format!("dockerlaunch: {words}\n"));
}

fn the_daemon_is_started_again() {
    let root = root();
    let running = machine(&root).words(["exit-before:3:2", "wait"]).running();
    says(&running, "engine ended with status 3");
    says(&running, "engine is started again in 1 s");
    running.until_event(&root, "start", 2);
    running.signal(12);
    assert_eq!(running.ended().status, 0);
    assert_eq!(events(&root), ["start", "start", "signal 15"]);
}

fn each_policy_on_the_machine() {
    for (policy, words, status) in [
        (
            "poweroff",
            "power off: not the first PID namespace; PID 1 ends instead",
            5,
        ),
        (
            "reboot",
            "reboot: not the first PID namespace; PID 1 ends instead",
            5,
        ),
        (
            "halt",
            "halt: not the first PID namespace; PID 1 ends instead",
            5,
        ),
        ("exit", "PID 1 ends as the daemon did", 5),
    ] {
        let root = root();
        let ended = machine(&root)
            .variable("DOCKER_LAUNCH_ON_EXIT", policy)
            .words(["exit:5"])
            .ended();
        assert!(
            ended
                .stderr
                .contains("dockerlaunch: engine ended with status 5\n")
        );
        assert!(
            ended.stderr.ends_with(&format!("dockerlaunch: {words}\n")),
            "{policy}: {}",
            ended.stderr
        );
        assert_eq!((ended.status, events(&root).len()), (status, 1));
    }
}

fn a_container_ends_as_its_daemon_did() {
    for (word, status, words) in [
        ("exit:0", 0, "ended with status 0"),
        ("exit:3", 3, "ended with status 3"),
        ("signal:15", 143, "was killed by SIGTERM"),
        ("signal:9", 137, "was killed by SIGKILL"),
    ] {
        for policy in ["exit", "poweroff", "reboot", "halt"] {
            let root = root();
            let start = container(&root).words([word]);
            let ended = start.variable("DOCKER_LAUNCH_ON_EXIT", policy).ended();
            assert_eq!(
                (ended.status, ended.said()),
                (status, format!("dockerlaunch: engine {words}\n"))
            );
        }
    }
    let root = root();
    assert_eq!(container(&root).words(["exit:3"]).ended().status, 3);
}

fn a_container_restarts_it_if_the_setting_says_so() {
    let root = root();
    let running = container(&root)
        .variable("DOCKER_LAUNCH_ON_EXIT", "restart")
        .words(["exit-before:3:2", "wait:6"])
        .running();
    running.until_event(&root, "start", 2);
    running.signal(15);
    assert_eq!(running.ended().status, 6);
}

/// This build has short delays.
fn a_crash_loop_is_reported_once() {
    let root = root();
    root.program(&release("impatient", &[("DOCKERLAUNCH_BACKOFF_MS", "0")]));
    let running = machine(&root)
        .words(["exit-before:4:20", "event:lasts", "wait"])
        .running();
    running.until_event(&root, "lasts", 1);
    let line = "dockerlaunch: warning: crash loop: engine has ended five times within a minute of its start, the last time with \
        status 4; see its log above\n";
    assert_eq!(running.log().matches(line).count(), 1, "{}", running.log());
    assert_eq!(
        running.log().matches("engine ended with status 4").count(),
        19
    );
}

fn a_request_between_two_daemons_is_followed() {
    let root = root();
    let running = machine(&root).words(["exit:3"]).running();
    says(&running, "engine is started again in 1 s");
    running.signal(12);
    let ended = running.ended();
    assert!(
        !ended.stderr.contains("SIGTERM to engine"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("dockerlaunch: power off: "),
        "{}",
        ended.stderr
    );
    assert_eq!(events(&root), ["start"]);
}

fn a_client_that_connects_between_two_daemons_is_served() {
    let root = root();
    let running = machine(&root)
        .words(["-H", "fd://", "exit-before:3:2", "serve", "wait"])
        .running();
    says(&running, "engine is started again in 1 s");
    let mut client = UnixStream::connect(running.path("/run/docker.sock")).unwrap();
    client.write_all(b"GET /_ping").unwrap();
    assert_eq!(
        events(&root),
        ["start"],
        "the next daemon had already started"
    );
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "got GET /_ping");
}

/// A supervisor of dockerlaunch passes these sockets; LISTEN_PID is the pid of the daemon that gets them.
fn every_daemon_gets_the_inherited_sockets() {
    let root = root();
    root.file("/first", "").file("/second", "");
    let running = container(&root)
        .variable("DOCKER_LAUNCH_ON_EXIT", "restart")
        .before(Before::Open {
            at: "/first".into(),
        })
        .before(Before::Open {
            at: "/second".into(),
        })
        .variable("LISTEN_PID", "1")
        .variable("LISTEN_FDS", "2")
        .variable("LISTEN_FDNAMES", "a:b")
        .words([
            "-H",
            "fd://",
            "status",
            "exit-before:3:20",
            "event:lasts",
            "wait",
        ])
        .running();
    running.until_event(&root, "lasts", 1);
    for event in [
        "LISTEN_FDNAMES=a:b",
        "LISTEN_FDS=2",
        "LISTEN_PID=own pid",
        "fd 3",
        "fd 4",
    ] {
        let times = events(&root).iter().filter(|line| *line == event).count();
        assert_eq!(times, 2, "{event}: {:?}", events(&root));
    }
    assert!(
        !events(&root).contains(&"fd 5".into()),
        "{:?}",
        events(&root)
    );
}

fn stale_pid_files_are_removed_before_each_start() {
    let root = root();
    let running = machine(&root)
        .words([
            "none:/run/docker.pid",
            "pid:/run/docker.pid",
            "exit-before:3:2",
            "wait",
        ])
        .running();
    running.until_event(&root, "start", 2);
    says(&running, "removed the stale pid file /var/run/docker.pid");
    running.until("written again", |running| {
        running.path("/run/docker.pid").exists()
    });
}

fn broken(root: &Root) {
    root.file("/usr/bin/broken", "#!/no/such\n")
        .mode("/usr/bin/broken", 0o755);
    fs::rename(root.path("/usr/bin/broken"), root.path("/usr/bin/engine")).unwrap();
}

const MISSING: &str = "exec /usr/bin/engine: no such file or directory (ENOENT); the file is there: its interpreter or \
    loader is missing from the image";

fn a_daemon_that_cannot_be_executed_is_a_failed_launch() {
    let root = root();
    broken(&root);
    for start in [machine(&root), container(&root)] {
        let ended = start.ended();
        let line = format!("dockerlaunch: {MISSING}\n");
        assert_eq!(
            (ended.status, ended.said().ends_with(&line)),
            (126, true),
            "{ended:?}"
        );
    }
}

fn a_daemon_that_can_no_longer_be_executed_is_tried_again() {
    let root = root();
    let running = machine(&root).words(["wait:3"]).running();
    broken(&root);
    running.until_event(&root, "start", 1);
    signal(running.children()[0], 9);
    says(&running, "engine was killed by SIGKILL");
    says(&running, &format!("warning: {MISSING}"));
    says(&running, "engine is started again in 2 s");
    root.stand_in("/usr/bin/engine.new");
    fs::rename(
        root.path("/usr/bin/engine.new"),
        root.path("/usr/bin/engine"),
    )
    .unwrap();
    running.until_event(&root, "start", 2);
}
