//! A signal that arrives during the launch is not lost: the launch stops waiting, and no daemon starts.

use crate::{
    disks::Disks,
    engine::{container, events, machine, root},
    failure::failing_with_shell,
    root::Root,
    running::{Ended, Running, Start},
    util::{Before, Needs, tests},
};
use nix::pty::openpty;
use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

tests![Needs::Features(&["modprobe", "network", "state", "supervise"]);
    b4_at_any_moment_while_modprobe_runs,
    b4_at_any_moment_while_a_disk_is_waited_for,
    b4_while_a_dhcp_server_or_a_card_is_waited_for,
    b4_a_file_system_that_is_being_made_is_finished,
    b4_each_signal_of_the_machine,
    b4_a_containers_own_signals_do_not_end_a_launch,
    b4_a_daemon_that_replaces_pid_1_gets_it,
    b4_children_get_the_original_signal_mask,
    b4_a_shell_after_a_failure_is_ended,
];

/// Only a wait that is not interrupted takes longer than this: modprobe hangs, or a disk never appears.
const SOON: Duration = Duration::from_secs(8);

/// A root whose modprobe takes much longer than anything else.
fn slow() -> Root {
    let root = root();
    root.stand_in("/usr/sbin/modprobe")
        .file("/modprobe.status", "hang");
    root
}

/// Waits until dockerlaunch runs and has blocked its signals, which is the first thing it does.
fn until_it_blocks(running: &Running<'_>) {
    running.until("blocking", |running| {
        let status = running.proc("status");
        status.starts_with("Name:\tdockerlaunch\n") && status.contains("\nSigBlk:\tfffffff")
    });
}

/// Sends a signal so many milliseconds after its first instruction.
fn signal_after(start: Start<'_>, signal: u32, milliseconds: u64) -> (Ended, Duration) {
    let running = start.started();
    until_it_blocks(&running);
    sleep(Duration::from_millis(milliseconds));
    running.signal(signal);
    let since = Instant::now();
    let ended = running.ended();
    (ended, since.elapsed())
}

fn no_daemon(root: &Root) -> bool {
    events(root).is_empty()
}

/// The launch logs this request, waits no longer and starts no daemon.
fn assert_given_up(root: &Root, log: &str, took: Duration, request: &str) {
    let line = format!("dockerlaunch: {request}\n");
    assert!(log.contains(&line), "{log}");
    assert!(no_daemon(root) && took < SOON, "{took:?}: {log}");
}

/// Every second of the first 50 ms, and 300 ms, when modprobe hangs.
fn moments() -> impl Iterator<Item = u64> {
    (0..50).step_by(2).chain([300])
}

fn b4_at_any_moment_while_modprobe_runs() {
    let root = slow();
    for moment in moments() {
        let (ended, took) = signal_after(machine(&root).words(["wait"]), 15, moment);
        let log = &ended.stderr;
        assert_given_up(&root, log, took, "SIGTERM: reboot");
        assert!(
            log.contains("dockerlaunch: reboot: not the first PID"),
            "{moment}: {log}"
        );
    }
    for moment in moments() {
        let (ended, took) = signal_after(container(&root).words(["wait"]), 15, moment);
        let log = &ended.stderr;
        assert_given_up(&root, log, took, "SIGTERM: end");
        assert_eq!(ended.status, 128 + 15, "{moment}: {log}");
    }
}

/// The launch fails because its disk is missing. The signal takes precedence over that failure and its policy.
fn b4_at_any_moment_while_a_disk_is_waited_for() {
    let root = root();
    for policy in ["panic", "poweroff", "shell"] {
        for moment in (0..50).step_by(6).chain([300]) {
            let start = machine(&root)
                .words(["wait"])
                .variable("DOCKER_LAUNCH_ON_FAILURE", policy)
                .variable("DOCKER_LAUNCH_STATE", "LABEL=never-here");
            let (ended, took) = signal_after(start, 15, moment);
            let log = &ended.stderr;
            assert!(
                log.ends_with(
                    "dockerlaunch: reboot: not the first PID namespace; PID 1 ends instead\n"
                ),
                "{policy} {moment}: {log}"
            );
            assert_given_up(&root, log, took, "SIGTERM: reboot");
        }
    }
}

fn b4_while_a_dhcp_server_or_a_card_is_waited_for() {
    let root = root();
    root.stand_in("/usr/sbin/udhcpc")
        .file("/udhcpc.status", "hang");
    for (address, words) in [
        (
            "dhcp",
            "no lease: a shutdown is requested; udhcpc was killed",
        ),
        (
            "10.9.8.7:::::eth7",
            "given up: a signal or the power button asked for a shutdown",
        ),
    ] {
        let start = container(&root)
            .words(["wait"])
            .variable("DOCKER_LAUNCH_IP", address);
        let card = Before::Interface {
            name: "eth0".into(),
            kind: "veth".into(),
        };
        let (ended, took) = signal_after(start.before(card), 15, 300);
        let log = &ended.stderr;
        assert!(log.contains(words), "{address}: {log}");
        assert_given_up(&root, log, took, "SIGTERM: end");
        assert_eq!(ended.status, 128 + 15, "{log}");
    }
}

/// A half-made file system would be useless, and the disk no longer blank.
fn b4_a_file_system_that_is_being_made_is_finished() {
    let root = root();
    root.stand_in("/usr/sbin/mkfs.ext4")
        .file("/mkfs.ext4.status", "slow");
    let mut disks = Disks::new(&root);
    disks.add_partition("vda", 1, "blank");
    let running = disks
        .start()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .variable("DOCKER_LAUNCH_STATE", "PARTLABEL=blank")
        .variable("DOCKER_LAUNCH_STATE_FORMAT", "ext4")
        .words(["engine", "wait"])
        .started();
    running.until("mkfs", |_| root.path("/mkfs.ext4.words").exists());
    running.signal(15);
    let ended = running.ended();
    assert!(root.path("/mkfs.ext4.done").exists());
    assert!(ended.status == 128 + 15 && no_daemon(&root), "{ended:?}");
}

fn b4_each_signal_of_the_machine() {
    let root = slow();
    for (signal, words) in [
        (12, "SIGUSR2: power off\n"),
        (30, "SIGPWR: power off\n"),
        (38, "signal 38: power off\n"),
        (10, "SIGUSR1: halt\n"),
        (37, "signal 37: halt\n"),
        (2, "SIGINT: reboot\n"),
        (39, "signal 39: reboot\n"),
    ] {
        let (ended, took) = signal_after(machine(&root).words(["wait"]), signal, 20);
        assert!(ended.stderr.contains(words), "{signal}: {}", ended.stderr);
        assert!(no_daemon(&root) && took < SOON, "{signal}: {took:?}");
    }
}

/// These signals are for the daemon, on the machine also HUP. The daemon starts as usual.
fn b4_a_containers_own_signals_do_not_end_a_launch() {
    let root = slow();
    // They arrive while modprobe runs: the daemon would not survive all of them during its own start.
    root.file("/modprobe.status", "slow");
    for (start, signals) in [
        (
            container as fn(&Root) -> Start<'_>,
            &[1, 10, 12, 28, 39][..],
        ),
        (machine, &[1, 28, 36]),
    ] {
        let _ = fs::remove_file(root.path("/events"));
        let running = start(&root).words(["wait"]).started();
        until_it_blocks(&running);
        signals.iter().for_each(|signal| running.signal(*signal));
        running.until_event(&root, "start", 1);
        running.signal(15);
        running.ended();
    }
}

/// The signal stays blocked and so pending until the daemon unblocks it, as Go programs do; otherwise the kernel would drop it.
fn b4_a_daemon_that_replaces_pid_1_gets_it() {
    let root = slow();
    for start in [Root::machine, Root::container] {
        let _ = fs::remove_file(root.path("/events"));
        let start = start(&root)
            .variable("DOCKER_LAUNCH_REAP", "false")
            .words(["engine", "status", "wait:7"]);
        let (ended, took) = signal_after(start, 15, 30);
        let events = events(&root);
        assert!(
            events.contains(&"SigBlk:\t0000000000004000".into()),
            "{events:?}"
        );
        assert_eq!(events[events.len() - 2..], ["start", "signal 15"]);
        assert!(ended.status == 7 && took < SOON, "{ended:?}");
    }
}

/// modprobe and the daemon.
fn b4_children_get_the_original_signal_mask() {
    let root = slow();
    for reap in ["true", "false"] {
        let running = root
            .container()
            .variable("DOCKER_LAUNCH_REAP", reap)
            .words(["engine", "status", "wait"])
            .started();
        running.until("modprobe", |_| root.path("/modprobe.words").exists());
        let modprobe = running.children()[0];
        let status = fs::read_to_string(format!("/proc/{modprobe}/status")).unwrap();
        assert!(status.contains("\nSigBlk:\t0000000000000000\n"), "{status}");
        crate::running::signal(modprobe, 9);
        running.until_event(&root, "start", 1);
        assert!(events(&root).contains(&"SigBlk:\t0000000000000000".into()));
        fs::remove_file(root.path("/events")).unwrap();
        fs::remove_file(root.path("/modprobe.words")).unwrap();
    }
}

/// The shell ignores TERM: it waits for a line.
fn b4_a_shell_after_a_failure_is_ended() {
    let root = Root::new();
    let terminal = openpty(None, None).unwrap();
    let running = failing_with_shell(&root, &terminal);
    let shell = running.children()[0];
    let status = fs::read_to_string(format!("/proc/{shell}/status")).unwrap();
    assert!(status.contains("\nSigBlk:\t0000000000000000\n"), "{status}");
    running.signal(12);
    let since = Instant::now();
    let ended = running.ended();
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    for words in [
        "SIGUSR2: power off\n",
        "power off: not the first PID namespace",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
}
