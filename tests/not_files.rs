//! Something else in place of a file: a FIFO, an endless device, a socket, a directory, a terabyte. The program neither waits for
//! them nor reads without end.

use crate::{
    root::{CERTIFICATES, Root},
    running::{Ended, Start},
    util::{Before, Needs, program, tests},
};
use nix::{
    sys::stat::{Mode, SFlag, mknod},
    unistd::mkfifo,
};
use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

tests![Needs::Root;
    b2_the_engine_starts_despite_each_of_them,
    b2_a_daemon_json_that_is_not_a_file_ends_the_launch,
    b2_dev_null_counts_as_an_empty_daemon_json,
    b2_a_pid_file_that_is_not_a_file_is_left,
    b2_a_machine_id_that_is_not_a_file_is_left,
    b2_check_reports_despite_each_of_them,
];

/// What can be in place of a regular file.
const KINDS: [&str; 5] = [
    "a FIFO",
    "/dev/zero",
    "a socket",
    "a directory",
    "a terabyte",
];
const NOT_REGULAR: &str = "is not a regular file (EBADFD)";
const DIRECTORY: &str = "is a directory (EISDIR)";
const LARGE: &str = "file too large (EFBIG)";

/// A wait for a FIFO would last for ever.
const SOON: Duration = Duration::from_secs(20);

/// Puts one of them there in place of the file.
fn put<'r>(root: &'r Root, start: Start<'r>, place: &str, kind: &str) -> Start<'r> {
    let path = root.path(place);
    root.file(place, "");
    if kind == "/dev/zero" {
        return start.before(Before::bind(kind, place));
    }
    fs::remove_file(&path).unwrap();
    make(&path, kind);
    start
}

fn make(path: &Path, kind: &str) {
    match kind {
        "a FIFO" => mkfifo(path, Mode::S_IRWXU).unwrap(),
        "a socket" => mknod(path, SFlag::S_IFSOCK, Mode::S_IRWXU, 0).unwrap(),
        "a directory" => fs::create_dir(path).unwrap(),
        "a terabyte" => File::create(path).unwrap().set_len(1 << 40).unwrap(),
        _ => panic!("{kind}"),
    }
}

fn reason(kind: &str) -> &str {
    match kind {
        "a directory" => DIRECTORY,
        "a terabyte" => LARGE,
        _ => NOT_REGULAR,
    }
}

fn b2_the_engine_starts_despite_each_of_them() {
    let places = [
        ("", "prepare daemon", "/etc/group"),
        ("network", "network", "/etc/hostname"),
        ("modprobe", "modules", "/etc/modules"),
        ("modprobe", "modules", "/etc/modules-load.d/a.conf"),
        ("modprobe", "modules", "/usr/lib/modules-load.d/b.conf"),
    ];
    for kind in KINDS {
        let root = Root::new();
        let mut start = root.machine().words(["dockerd", "-H", "fd://"]);
        for (_, _, place) in places {
            start = put(&root, start, place, kind);
        }
        start = put(&root, start, CERTIFICATES, kind);
        let begin = Instant::now();
        let log = start.running().log();
        assert!(begin.elapsed() < SOON, "{kind}: {:?}", begin.elapsed());
        for (feature, step, place) in places {
            if feature.is_empty() || crate::util::has_feature(feature) {
                let line = format!("dockerlaunch: warning: {step} {place}: {}\n", reason(kind));
                assert!(log.contains(&line), "{line}: {log}");
            }
        }
        let fault = match kind {
            "a directory" => "is a directory",
            "a terabyte" => "does not begin with a certificate",
            _ => "is not a regular file",
        };
        let line = format!("dockerlaunch: warning: ca-certificates.crt {fault}: ");
        assert!(log.contains(&line), "{line}: {log}");
    }
}

/// dockerd would wait for it, or fail.
fn b2_a_daemon_json_that_is_not_a_file_ends_the_launch() {
    for kind in KINDS {
        for (place, words) in [
            ("/etc/docker/daemon.json", &["dockerd"][..]),
            ("/srv/settings", &["dockerd", "--config-file=/srv/settings"]),
        ] {
            // A debug build takes a second for a megabyte.
            if kind == "a terabyte" && words.len() > 1 {
                continue;
            }
            let root = Root::new();
            let start = put(&root, root.container().words(words), place, kind);
            let Ended { status, stderr, .. } = start.ended();
            assert_eq!(status, 125, "{kind}: {stderr}");
            let line = format!(
                "dockerlaunch: prepare daemon daemon.json: {}\n",
                reason(kind)
            );
            assert!(stderr.ends_with(&line), "{kind}: {stderr}");
        }
    }
}

fn b2_dev_null_counts_as_an_empty_daemon_json() {
    let root = Root::new();
    let start = root
        .container()
        .words(["dockerd", "--config-file=/dev/null"]);
    let log = start.running().log();
    assert!(!log.contains("daemon.json"), "{log}");
    let root = Root::new();
    root.file("/etc/docker/daemon.json", "");
    let bound = Before::bind("/dev/null", "/etc/docker/daemon.json");
    let log = root.container().before(bound).running().log();
    assert!(!log.contains("daemon.json"), "{log}");
}

/// Somebody has made it on purpose.
fn b2_a_pid_file_that_is_not_a_file_is_left() {
    let place = "/run/docker/containerd/containerd.pid";
    for (kind, reason) in [
        ("a FIFO", NOT_REGULAR),
        ("a socket", NOT_REGULAR),
        ("a directory", DIRECTORY),
    ] {
        let root = Root::new();
        let run = Before::bind(root.directory("/run").path("/run"), "/run");
        let start = put(&root, root.machine().before(run), place, kind);
        let Ended { status, stderr, .. } = start.ended();
        let line = format!("dockerlaunch: prepare daemon /var{place}: {reason}\n");
        assert!(status == 125 && stderr.ends_with(&line), "{stderr}");
        assert!(root.path(place).symlink_metadata().is_ok());
    }
}

fn b2_a_machine_id_that_is_not_a_file_is_left() {
    for kind in ["a FIFO", "/dev/zero", "a socket"] {
        let root = Root::new();
        let daemon = put(&root, root.machine(), "/etc/machine-id", kind).running();
        let there = fs::symlink_metadata(daemon.path("/etc/machine-id")).unwrap();
        assert!(!there.is_file(), "{kind}");
    }
}

fn b2_check_reports_despite_each_of_them() {
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    for kind in ["a FIFO", "a socket", "a directory", "a terabyte"] {
        let path = directory.join(kind);
        make(&path, kind);
        for settings in [path.clone(), "/dev/zero".into(), "/dev/null".into()] {
            let mut check = Command::new(program())
                .args(["--check", "dockerd", "--config-file"])
                .arg(settings)
                .env("SSL_CERT_FILE", &path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let limit = Instant::now() + SOON;
            while check.try_wait().unwrap().is_none() {
                if Instant::now() > limit {
                    check.kill().unwrap();
                    panic!("{kind}: the program hangs");
                }
                sleep(Duration::from_millis(5));
            }
        }
    }
    fs::remove_dir_all(directory).unwrap();
}
