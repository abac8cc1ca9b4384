//! Bad input: one clear line, the exit status that shells use, and no change.

use crate::{
    root::Root,
    running::Start,
    settings,
    util::{Before, Needs, SYS_ADMIN, tests},
};

tests![Needs::Root;
    a_missing_daemon,
    a_daemon_that_cannot_be_executed,
    a_daemon_without_its_interpreter,
    a_long_path_is_truncated_at_its_beginning,
    a_name_that_is_too_long_is_reported,
    an_interpreter_that_cannot_be_executed,
    a_path_with_a_newline_is_reported_on_one_line,
    without_privileges,
    a_file_in_place_of_the_socket,
    help_and_version,
];

/// It logs one line and nothing else, and no file, mode or time in the root changes.
pub(crate) fn assert_refused(start: Start<'_>, status: i32, line: &str) {
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
    "no such file or directory (ENOENT); install it, or name another daemon as the first argument";
const CANNOT: &str = "permission denied (EACCES); make it an executable file";

fn a_missing_daemon() {
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
    // Neither spelling is installed: the message names the requested one.
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

/// Only the kernel can report this, when everything is prepared.
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

fn a_long_path_is_truncated_at_its_beginning() {
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

/// `docker run` without --privileged: everything but /run is mounted, and CAP_SYS_ADMIN is missing.
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
    // The same with nothing mounted.
    let line = "mount /proc: operation not permitted (EPERM); run with --privileged";
    assert_refused(
        root.start().before(Before::DropCapability(SYS_ADMIN)),
        125,
        line,
    );
}

fn a_file_in_place_of_the_socket() {
    let root = Root::new();
    root.file("/run/docker.sock", "mine");
    let kept = Before::bind(root.path("/run"), "/run");
    let ended = root.container().before(kept).words(["-H", "fd://"]).ended();
    let line = "dockerlaunch: prepare daemon /run/docker.sock: something that is not a socket is there; remove it\n";
    assert_eq!((ended.status, ended.said().as_str()), (125, line));
    assert_eq!(root.read("/run/docker.sock"), "mine");
}

fn help_and_version() {
    let root = Root::new();
    let before = root.tree();
    let version = root.start().words(["--version", "dockerd"]).ended();
    assert_eq!((version.status, version.stderr.as_str()), (0, ""));
    assert_version(&version.stdout);
    let help = root.start().words(["--help"]).not_pid_1().ended();
    assert_eq!((help.status, help.stderr), (0, String::new()));
    assert!(help.stdout.starts_with(
        "Usage: dockerlaunch [--help | --version | --check | --check=json] [DAEMON] [ARG...]\n"
    ));
    // The help contains every setting.
    for (name, ..) in settings::WRONG {
        assert!(
            help.stdout.split_whitespace().any(|word| word == *name),
            "{name}"
        );
    }
    assert_eq!(root.tree(), before);
    // The reader has closed its end.
    assert_eq!(
        root.start()
            .words(["--version"])
            .before(Before::Close(1))
            .ended()
            .status,
        1
    );
}

/// The version, followed by the commit in parentheses if there is one; then the features, sorted.
fn assert_version(text: &str) {
    let lines: Vec<_> = text.lines().collect();
    let version = format!("dockerlaunch {}", env!("CARGO_PKG_VERSION"));
    let commit = lines[0].strip_prefix(&version).expect(text);
    if !commit.is_empty() {
        let commit = commit
            .strip_prefix(" (")
            .and_then(|commit| commit.strip_suffix(')'));
        let digits = commit.expect(text).trim_end_matches('+');
        assert!(
            digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{text}"
        );
    }
    let features = lines[1].strip_prefix("features: ").expect(text);
    assert!(features.split(' ').is_sorted(), "{text}");
    assert_eq!(lines.len(), 2);
}

fn a_name_that_is_too_long_is_reported() {
    let name = "n".repeat(256);
    for daemon in [name.clone(), format!("/{name}")] {
        let line = format!(
            "daemon …{}: file name too long (ENAMETOOLONG)",
            &daemon[daemon.len() - 252..]
        );
        assert_refused(Root::new().container().words([daemon]), 126, &line);
    }
}

/// More rights would not help.
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

fn a_path_with_a_newline_is_reported_on_one_line() {
    let ended = Root::new().container().words(["a\nb"]).ended();
    assert_eq!(
        (ended.status, ended.stderr.lines().count()),
        (127, 1),
        "{}",
        ended.stderr
    );
}
