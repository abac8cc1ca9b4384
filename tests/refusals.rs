//! Bad input: one clear line, the exit status that shells would give, and nothing touched.

use crate::{
    root::Root,
    running::Start,
    util::{Before, Needs, SYS_ADMIN, tests},
};

tests![Needs::Root;
    a_daemon_that_is_not_there,
    a_daemon_that_cannot_be_executed,
    a_daemon_without_its_interpreter,
    a_setting_with_a_wrong_value,
    a_setting_that_is_not_built,
    an_unknown_setting_is_only_told,
    too_many_words,
    a_long_subject_keeps_its_end,
    check_is_not_built,
    a_name_server_is_an_address,
    a_name_that_is_too_long_is_told_so,
    a_module_that_cannot_be_is_told_before_anything_is_touched,
    an_interpreter_that_cannot_be_executed,
    a_subject_of_two_lines_is_told_in_one,
    without_privileges,
    help_and_version,
];

/// One line and nothing else, and not a file, mode or time of the root differs.
fn assert_refused(start: Start<'_>, status: i32, line: &str) {
    let root = start.root;
    let before = root.tree();
    let ended = start.ended();
    assert_eq!(
        (ended.status, ended.stderr),
        (status, format!("dockerlaunch: {line}\n"))
    );
    assert_eq!(ended.stdout, "");
    assert_eq!(root.tree(), before);
}

const MISSING: &str =
    "no such file or directory (ENOENT); install it, or name another daemon as the first word";
const CANNOT: &str = "permission denied (EACCES); make it an executable file";

fn a_daemon_that_is_not_there() {
    let root = Root::new();
    for daemon in ["no-such", "/usr/bin/no-such", "./no-such", ""] {
        let line = match daemon {
            "" => format!("daemon: {MISSING}"),
            name => format!("daemon {name}: {MISSING}"),
        };
        assert_refused(root.container().words([daemon, "--debug"]), 127, &line);
    }
    std::fs::remove_file(root.path("/usr/bin/dockerd")).unwrap();
    assert_refused(root.container(), 127, &format!("daemon dockerd: {MISSING}"));
    assert_refused(
        root.container().words(["-D"]),
        127,
        &format!("daemon dockerd: {MISSING}"),
    );
    // Neither spelling is installed: the one that was asked for is named.
    assert_refused(
        root.container().words(["docker", "-d"]),
        127,
        &format!("daemon docker: {MISSING}"),
    );
}

fn a_daemon_that_cannot_be_executed() {
    let root = Root::new();
    root.file("/usr/bin/plain", "").directory("/usr/bin/folder");
    for daemon in ["/usr/bin/plain", "plain", "/usr/bin/folder", "folder"] {
        assert_refused(
            root.container().words([daemon]),
            126,
            &format!("daemon {daemon}: {CANNOT}"),
        );
    }
}

/// Only the kernel tells, when everything is prepared.
fn a_daemon_without_its_interpreter() {
    let root = Root::new();
    root.file("/usr/bin/script", "#!/no/such\n")
        .mode("/usr/bin/script", 0o755);
    root.file("/usr/bin/rubbish", "rubbish")
        .mode("/usr/bin/rubbish", 0o755);
    for (daemon, reason) in [
        (
            "script",
            "no such file or directory (ENOENT); the file is there: its interpreter or loader is missing from the image",
        ),
        (
            "rubbish",
            "exec format error (ENOEXEC); it is not a program for this machine",
        ),
    ] {
        let ended = root.container().words([daemon]).ended();
        assert_eq!(
            (ended.status, ended.said()),
            (
                126,
                format!("dockerlaunch: exec /usr/bin/{daemon}: {reason}\n")
            )
        );
    }
}

/// Name, wrong values, what is allowed.
const WRONG: &[(&str, &[&str], &str)] = &[
    (
        "DEBUG",
        &["yes", "", "True", "true ", "true, false", "allowed", ","],
        "allowed: true, false",
    ),
    ("AS", &["host", ""], "allowed: auto, machine, container"),
    ("REAP", &["yes"], "allowed: auto, false, true"),
    ("CGROUP", &["v3", "V2"], "allowed: auto, v2, v1, hybrid"),
    (
        "MODULES",
        &["a b", "a,../b", "a;b"],
        "allowed: at most 48 names of up to 56 letters, digits, _ and -, separated by commas",
    ),
    ("PREREQUISITES", &["maybe"], "allowed: require, warn, skip"),
    (
        "STATE",
        &["sda", "label=x", ""],
        "allowed: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=",
    ),
    ("STATE_FORMAT", &["ntfs"], "allowed: ext4, xfs, btrfs"),
    (
        "IP",
        &["10.0.2", "10.0.2.256/24", ""],
        "its client address is not four numbers up to 255, as in 10.0.2.15",
    ),
    (
        "IP",
        &["10.0.2.15/33", "10.0.2.15:::255.0.255.0"],
        "its netmask is neither /0 to /32 nor a mask as 255.255.255.0",
    ),
    (
        "IP",
        &["10.0.2.15::gateway"],
        "its gateway is not four numbers up to 255",
    ),
    (
        "IP",
        &["10.0.2.15::::a_b"],
        "its hostname is not 1 to 64 letters, digits, dots and dashes",
    ),
    (
        "IP",
        &["10.0.2.15:::::sixteen-letters-"],
        "its device is not the name of an interface, at most 15 bytes",
    ),
    (
        "IP",
        &["10.0.2.15:::::::x"],
        "its first name server is not four numbers up to 255",
    ),
    (
        "IP",
        &["10.0.2.15::::::::x"],
        "its second name server is not four numbers up to 255",
    ),
    (
        "DNS",
        &["1.2.3.4,1.2.3.4,1.2.3.4,1.2.3.4", "1.2.3.x"],
        "allowed: at most three addresses, separated by commas",
    ),
    (
        "HOSTNAME",
        &["", "a_b", "a b"],
        "allowed: 1 to 64 letters, digits, dots and dashes",
    ),
    (
        "READY",
        &["ready", ""],
        "allowed: the path of a program, from /",
    ),
    (
        "ON_EXIT",
        &["stop"],
        "allowed: restart, poweroff, reboot, halt, exit",
    ),
    (
        "ON_FAILURE",
        &["stop"],
        "allowed: panic, poweroff, reboot, shell",
    ),
    (
        "SHUTDOWN_TIMEOUT",
        &["0", "86401", "-1", "1s", ""],
        "allowed: 1 to 86400 seconds",
    ),
];

/// Values that are allowed, but that this build does not follow.
const NOT_BUILT: &[(&str, &[&str], &str)] = &[
    (
        "REAP",
        &["true"],
        "supervising is not built yet: dockerlaunch execs the daemon",
    ),
    (
        "PREREQUISITES",
        &["require", "warn", "skip"],
        "the check of prerequisites is not built yet",
    ),
    (
        "STATE",
        &["/dev/vda", "LABEL=x", "UUID=1", "PARTLABEL=x", "PARTUUID=1"],
        "the state disk is not built yet: mount the data root from the image",
    ),
    (
        "STATE_FORMAT",
        &["ext4", "xfs", "btrfs"],
        "the state disk is not built yet: mount the data root from the image",
    ),
    (
        "IP",
        &["dhcp", "on", "any", "10.0.2.15::::::dhcp"],
        "only a static address is built yet, not dhcp: give client::gateway:netmask::device, or address/prefix",
    ),
    (
        "READY",
        &["/bin/ready"],
        "supervising is not built yet: dockerlaunch execs the daemon",
    ),
    (
        "ON_EXIT",
        &["restart", "poweroff", "reboot", "halt", "exit"],
        "supervising is not built yet: dockerlaunch execs the daemon",
    ),
    (
        "ON_FAILURE",
        &["poweroff", "reboot", "shell"],
        "only panic is built yet: the kernel's panic=N decides what follows",
    ),
    (
        "SHUTDOWN_TIMEOUT",
        &["90"],
        "supervising is not built yet: dockerlaunch execs the daemon",
    ),
];

fn assert_settings_refused(table: &[(&str, &[&str], &str)]) {
    let root = Root::new();
    for (name, values, reason) in table {
        for value in *values {
            let name = format!("DOCKER_LAUNCH_{name}");
            // The daemon is not there either: the setting comes first.
            let start = root.start().words(["no-such"]).variable(&name, value);
            assert_refused(start, 2, &format!("setting {name}={value}: {reason}"));
        }
    }
}

fn a_setting_with_a_wrong_value() {
    assert_settings_refused(WRONG);
}

/// Hexadecimal digits alone are none.
fn a_name_server_is_an_address() {
    assert_settings_refused(&[(
        "DNS",
        &["cafe", "10", "1.2.3.4,:"],
        "allowed: at most three addresses, separated by commas",
    )]);
}

fn a_setting_that_is_not_built() {
    assert_settings_refused(NOT_BUILT);
}

fn an_unknown_setting_is_only_told() {
    let root = Root::new();
    let daemon = root
        .container()
        .variable("DOCKER_LAUNCH_DEBUGS", "true")
        .variable("DOCKER_LAUNCH_", "")
        .running();
    for variable in ["DOCKER_LAUNCH_DEBUGS=true", "DOCKER_LAUNCH_="] {
        let line = format!(
            "dockerlaunch: warning: {variable} is no setting of dockerlaunch; it is ignored\n"
        );
        assert!(daemon.log().contains(&line), "{}", daemon.log());
    }
}

fn too_many_words() {
    let root = Root::new();
    let words = (0..1024).map(|number| format!("--word={number}"));
    assert_refused(
        root.container().words(words),
        2,
        "usage --word=1023: more than 1,023 words",
    );
    let mut start = root.container();
    for number in 0..1024 {
        start = start.variable(format!("V{number:04}"), "x");
    }
    assert_refused(
        start,
        2,
        "usage V1023=x: more than 1,023 environment variables",
    );
}

fn a_long_subject_keeps_its_end() {
    let root = Root::new();
    let fits = format!("/{}", "f".repeat(254));
    assert_refused(
        root.container().words([&fits]),
        127,
        &format!("daemon {fits}: {MISSING}"),
    );
    let long = format!("/{}/{}", "a".repeat(100), "b".repeat(200));
    let line = format!("daemon …{}: {MISSING}", &long[long.len() - 252..]);
    assert_refused(root.container().words([&long]), 127, &line);
    let longer = format!("/{}", "c/".repeat(3000));
    let line = format!(
        "daemon …{}: file name too long (ENAMETOOLONG)",
        &longer[longer.len() - 252..]
    );
    assert_refused(root.container().words([&longer]), 126, &line);
    let value = "x".repeat(5000);
    let line = format!("setting …{}: allowed: true, false", &value[..252]);
    assert_refused(
        root.start().variable("DOCKER_LAUNCH_DEBUG", value),
        2,
        &line,
    );
}

fn check_is_not_built() {
    let line = "usage --check: the check of prerequisites is not built yet";
    assert_refused(Root::new().container().words(["--check"]), 2, line);
}

/// What `docker run` without --privileged leaves: everything is mounted but /run, and there is no CAP_SYS_ADMIN.
fn without_privileges() {
    let root = Root::new();
    let mut start = root.container();
    for (kind, at) in [
        ("devpts", "/dev/pts"),
        ("tmpfs", "/dev/shm"),
        ("mqueue", "/dev/mqueue"),
    ] {
        start = start
            .before(Before::Directory { at: at.into() })
            .before(Before::mount(kind, at));
    }
    let line = "mount /run: operation not permitted (EPERM); run with --privileged";
    assert_refused(start.before(Before::DropCapability(SYS_ADMIN)), 125, line);
    // And where nothing is mounted.
    let line = "mount /proc: operation not permitted (EPERM); run with --privileged";
    assert_refused(
        root.start().before(Before::DropCapability(SYS_ADMIN)),
        125,
        line,
    );
}

fn help_and_version() {
    let root = Root::new();
    let before = root.tree();
    let version = root.start().words(["--version", "dockerd"]).ended();
    let expected = format!("dockerlaunch {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (version.status, version.stdout, version.stderr),
        (0, expected, String::new())
    );
    let help = root.start().words(["--help"]).not_pid_1().ended();
    assert_eq!((help.status, help.stderr), (0, String::new()));
    assert!(
        help.stdout
            .starts_with("Usage: dockerlaunch [--help | --version] [DAEMON] [ARG...]\n")
    );
    // Every setting stands in it.
    for (name, ..) in WRONG {
        assert!(
            help.stdout.split_whitespace().any(|word| word == *name),
            "{name}"
        );
    }
    assert_eq!(root.tree(), before);
    // Nobody reads it.
    assert_eq!(
        root.start()
            .words(["--version"])
            .before(Before::Close(1))
            .ended()
            .status,
        1
    );
}

fn a_name_that_is_too_long_is_told_so() {
    let name = "n".repeat(256);
    for daemon in [name.clone(), format!("/{name}")] {
        let line = format!(
            "daemon …{}: file name too long (ENAMETOOLONG)",
            &daemon[daemon.len() - 252..]
        );
        assert_refused(Root::new().container().words([daemon]), 126, &line);
    }
}

fn a_module_that_cannot_be_is_told_before_anything_is_touched() {
    let root = Root::new();
    for value in ["m".repeat(57), vec!["m"; 65].join(",")] {
        let before = root.tree();
        let ended = root
            .start()
            .variable("DOCKER_LAUNCH_MODULES", value)
            .ended();
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert_eq!(root.tree(), before);
    }
}

/// More rights do not help.
fn an_interpreter_that_cannot_be_executed() {
    let root = Root::new();
    root.file("/interpreter", "")
        .file("/usr/bin/script", "#!/interpreter\n")
        .mode("/usr/bin/script", 0o755);
    let ended = root.container().words(["script"]).ended();
    assert_eq!(ended.status, 126);
    assert!(
        ended
            .said()
            .starts_with("dockerlaunch: exec /usr/bin/script: permission denied (EACCES)"),
        "{}",
        ended.stderr
    );
    assert!(!ended.said().contains("--privileged"), "{}", ended.stderr);
}

fn a_subject_of_two_lines_is_told_in_one() {
    let ended = Root::new().container().words(["a\nb"]).ended();
    assert_eq!(
        (ended.status, ended.stderr.lines().count()),
        (127, 1),
        "{}",
        ended.stderr
    );
}
