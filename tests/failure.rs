//! What follows if the machine's PID 1 cannot launch: first it logs the reason, then it follows DOCKER_LAUNCH_ON_FAILURE.

use crate::{
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use nix::{
    pty::{OpenptyResult, openpty},
    unistd::ttyname,
};
use std::{
    fs::{self, File},
    io::Write,
    process::ExitCode,
};

tests![Needs::Root;
    panic_only_ends,
    poweroff_and_reboot,
    a_wrong_setting_follows_the_policy_in_any_order,
    a_container_only_ends,
    a_shell_has_the_console_as_its_terminal,
    a_missing_shell,
];

const REASON: &str = "dockerlaunch: daemon no-such: no such file or directory (ENOENT); install it, or name another daemon \
    as the first argument\n";

fn failing<'r>(root: &'r Root, policy: &str) -> Start<'r> {
    let start = root.machine().words(["no-such"]);
    start.variable("DOCKER_LAUNCH_ON_FAILURE", policy)
}

fn panic_only_ends() {
    let root = Root::new();
    let ended = failing(&root, "panic").ended();
    assert_eq!((ended.status, ended.stderr.as_str()), (127, REASON));
}

fn poweroff_and_reboot() {
    for (policy, word) in [("poweroff", "power off"), ("reboot", "reboot")] {
        let root = Root::new();
        root.directory("/a");
        let ended = failing(&root, policy)
            .before(Before::mount("tmpfs", "/a"))
            .ended();
        let said = format!(
            "{REASON}dockerlaunch: unmounted: 1\ndockerlaunch: {word} after this failure: not the first PID namespace; PID 1 \
            ends instead\n"
        );
        assert_eq!((ended.status, ended.stderr), (127, said));
    }
}

/// The policy is a setting itself, and may come after the wrong one.
fn a_wrong_setting_follows_the_policy_in_any_order() {
    let wrong = ("DOCKER_LAUNCH_DEBUG", "yes");
    let policy = ("DOCKER_LAUNCH_ON_FAILURE", "poweroff");
    for order in [[wrong, policy], [policy, wrong]] {
        let root = Root::new();
        let mut start = root.start().variable("DOCKER_LAUNCH_AS", "machine");
        for (name, value) in order {
            start = start.variable(name, value);
        }
        let ended = start.ended();
        let reason = "dockerlaunch: setting DOCKER_LAUNCH_DEBUG=yes: allowed: true, false\n";
        assert!(ended.stderr.starts_with(reason), "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("\ndockerlaunch: power off after this failure: "),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.status, 2);
    }
}

fn a_container_only_ends() {
    let root = Root::new();
    let start = root.container().words(["no-such"]);
    let ended = start
        .variable("DOCKER_LAUNCH_ON_FAILURE", "poweroff")
        .ended();
    assert_eq!((ended.status, ended.stderr.as_str()), (127, REASON));
}

/// The stand-in for /bin/sh: writes down what it was given, and ends at the line `exit`.
pub(crate) fn shell() -> ExitCode {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.split(' ').collect();
    let (pid, session, terminal) = (fields[0], fields[5], fields[6]);
    let descriptors =
        [0, 1, 2].map(|number| fs::read_link(format!("/proc/self/fd/{number}")).unwrap());
    let own = fs::metadata("/dev/console").unwrap();
    let mut text = format!(
        "leads: {}\nhas a terminal: {}\n",
        pid == session,
        terminal != "0"
    );
    let is_console = descriptors.iter().all(|path| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).is_ok_and(|meta| meta.rdev() == own.rdev()) || path.ends_with("console")
    });
    text += &format!("on the console: {is_console}\n");
    let mut variables: Vec<_> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    variables.sort();
    fs::write("/shell", text + &variables.concat()).unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    ExitCode::from(u8::from(line != "exit\n"))
}

/// A launch that fails and starts a shell, whose console is this terminal.
pub(crate) fn failing_with_shell<'r>(root: &'r Root, terminal: &OpenptyResult) -> Running<'r> {
    root.shell();
    let name = ttyname(&terminal.slave).unwrap();
    let running = failing(root, "shell")
        .before(Before::mount("proc", "/proc"))
        .before(Before::File {
            at: "/dev/console".into(),
            contents: String::new(),
        })
        .before(Before::bind(name, "/dev/console"))
        .started();
    running.until("a shell", |running| running.path("/shell").exists());
    running
}

fn a_shell_has_the_console_as_its_terminal() {
    let root = Root::new();
    let terminal = openpty(None, None).unwrap();
    let running = failing_with_shell(&root, &terminal);
    let expected = "leads: true\nhas a terminal: true\non the console: true\nHOME=/root\n\
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=linux\n";
    running.until("written down", |running| running.read("/shell") == expected);
    File::from(terminal.master).write_all(b"exit\n").unwrap();
    let ended = running.ended();
    let said = format!(
        "{REASON}dockerlaunch: a shell is on the console; when it ends, the machine reboots\ndockerlaunch: unmounted: 0\n\
        dockerlaunch: reboot after the shell: not the first PID namespace; PID 1 ends instead\n"
    );
    assert_eq!((ended.status, ended.stderr), (127, said));
}

fn a_missing_shell() {
    let root = Root::new();
    let ended = failing(&root, "shell").ended();
    assert_eq!(ended.status, 127);
    let said = format!(
        "{REASON}dockerlaunch: warning: there is no shell: neither /bin/sh nor /usr/bin/sh\n"
    );
    assert_eq!(ended.stderr, said);
}
