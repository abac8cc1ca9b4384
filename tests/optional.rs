//! Files that cannot be written and that Docker does not need: full and read-only file systems, dangling links, files that
//! somebody has mounted. The daemon starts, and one line names the file.

use crate::{
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use std::{fs, os::unix::fs::MetadataExt};

tests![Needs::Root;
    c1_a_full_file_system,
    c1_a_file_system_without_inodes,
    c1_a_full_data_root_is_named,
    c1_many_files_are_counted,
    c3_read_only_certificates,
    c3_a_read_only_directory_of_the_layout,
    c3_a_read_only_root_in_a_container,
    c4_the_target_of_a_dangling_link_is_made,
    c4_a_circular_link_is_skipped,
    c5_an_empty_daemon_json_that_is_mounted,
    c5_an_empty_daemon_json_on_a_read_only_file_system,
    c5_dev_null_as_daemon_json,
];

const FULL: &str = "no space left on device (ENOSPC); free space there";
const READ_ONLY: &str =
    "read-only file system (EROFS); mount the root read-write (rw), or add it to the image";

/// The warnings of these steps.
fn warnings(daemon: &Running<'_>) -> Vec<String> {
    let log = daemon.log();
    let lines = log
        .lines()
        .filter_map(|line| line.strip_prefix("dockerlaunch: warning: "))
        .filter(|line| !line.contains(" modprobe ") && !line.starts_with("cgroup v2 "));
    lines.map(String::from).collect()
}

fn tmpfs(at: &str, data: &str) -> Before {
    Before::Mount {
        kind: "tmpfs".into(),
        at: at.into(),
        data: data.into(),
    }
}

fn file(at: &str, contents: &str) -> Before {
    Before::File {
        at: at.into(),
        contents: contents.into(),
    }
}

/// A file system of one page, which the first file takes.
fn full_etc<'r>(root: &'r Root, first: &str, contents: &str) -> Start<'r> {
    root.directory("/etc");
    root.machine()
        .before(tmpfs("/etc", "size=4k"))
        .before(file(first, contents))
}

fn full_lines(names: &[&str]) -> Vec<String> {
    let mut lines: Vec<_> = names
        .iter()
        .map(|name| format!("layout /etc/{name}: {FULL}"))
        .collect();
    let place = format!(
        "/etc/{} is on a full file system; make room on the one mounted at /etc",
        names[0]
    );
    lines.insert(1, place);
    lines
}

/// Empty files, new files, a copy, and name servers.
fn c1_a_full_file_system() {
    let root = Root::new();
    root.file("/usr/etc/new.conf", "default\n");
    let start = full_etc(&root, "/etc/full", "x").before(file("/etc/machine-id", ""));
    let daemon = start.running();
    let names = [
        "new.conf",
        "group",
        "hosts",
        "nsswitch.conf",
        "machine-id",
        "passwd",
    ];
    let mut expected = full_lines(&names);
    let missing = warnings(&daemon).pop().unwrap();
    assert!(
        missing.starts_with("ca-certificates.crt is missing"),
        "{missing}"
    );
    expected.push(missing);
    assert_eq!(warnings(&daemon), expected);
    let etc = fs::read_dir(daemon.path("/etc")).unwrap();
    let mut left: Vec<_> = etc.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["full", "machine-id", "mtab"]);
    assert_eq!(daemon.read("/etc/machine-id"), "");
}

/// Directories and links fail as well. If a directory is missing, its files are not reported again.
fn c1_a_file_system_without_inodes() {
    let root = Root::new();
    root.directory("/var").directory("/root");
    let start = root
        .machine()
        .before(tmpfs("/var", "nr_inodes=1"))
        .before(tmpfs("/root", "nr_inodes=1"));
    let daemon = start.running();
    let full = |path: &str, place: &str| {
        let lies = "is on a full file system; make room on the one mounted at";
        [
            format!("layout {path}: {FULL}"),
            format!("{path} {lies} {place}"),
        ]
    };
    let mut expected = full("/root/.ssh", "/root").to_vec();
    expected.extend(full("/var/lib", "/var"));
    expected.push(format!("layout /var/log: {FULL}"));
    expected.push(format!("layout /var/run: {FULL}"));
    assert_eq!(warnings(&daemon), expected);
}

fn c1_a_full_data_root_is_named() {
    let root = Root::new();
    root.directory("/var/lib/docker");
    let start = root
        .machine()
        .before(tmpfs("/var/lib/docker", "size=4k"))
        .before(file("/var/lib/docker/image", "x"));
    let daemon = start.running();
    let line = "/var/lib/docker is on a full file system; make room on the one mounted at";
    assert_eq!(warnings(&daemon), [format!("{line} /var/lib/docker")]);
    drop(daemon);
    // The same through a link.
    let root = Root::new();
    root.directory("/mnt/disk")
        .link("/var/lib/docker", "/mnt/disk/docker");
    let start = root
        .machine()
        .before(tmpfs("/mnt/disk", "size=4k"))
        .before(file("/mnt/disk/image", "x"));
    let daemon = start.running();
    assert_eq!(warnings(&daemon), [format!("{line} /mnt/disk")]);
}

fn c1_many_files_are_counted() {
    let root = Root::new();
    for number in 0..300 {
        root.file(&format!("/usr/etc/many/{number}"), "default\n");
    }
    let daemon = full_etc(&root, "/etc/full", "x").running();
    let lines = warnings(&daemon);
    assert_eq!(lines.len(), 8 + 1 + 1 + 1, "{lines:?}");
    assert!(lines[0].starts_with("layout /etc/many/"), "{lines:?}");
    assert_eq!(lines[9], "layout /etc: 297 more could not be made");
}

/// An outer engine mounts its own certificates; the default of the image has more.
fn c3_read_only_certificates() {
    let root = Root::new();
    root.file("/usr/etc/ssl/certs/ca-certificates.crt", "ca")
        .file("/usr/etc/ssl/openssl.cnf", "default\n")
        .file("/usr/etc/hostname", "box\n")
        .directory("/etc/ssl/certs")
        .file("/mine/corp.pem", "corp");
    let certs = "/etc/ssl/certs";
    let start = root.machine().bind_read_only(root.path("/mine"), certs);
    let daemon = start.running();
    let line = format!("layout /etc/ssl/certs/ca-certificates.crt: {READ_ONLY}");
    let lines = warnings(&daemon);
    assert_eq!(lines[0], line);
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.contains("ca-certificates.crt is missing")),
        "{lines:?}"
    );
    assert_eq!(fs::read_dir(root.path("/mine")).unwrap().count(), 1);
    // The launch writes what it can.
    assert_eq!(daemon.read("/etc/ssl/openssl.cnf"), "default\n");
    assert_eq!(daemon.read("/etc/hostname"), "box\n");
    assert!(daemon.read("/etc/passwd").contains("root"));
}

fn c3_a_read_only_directory_of_the_layout() {
    for (directory, lacks) in [
        ("/etc", &["mtab", "nsswitch.conf"][..]),
        ("/etc", &["group", "hosts", "machine-id", "passwd"]),
        ("/root", &[".ssh"]),
        ("/var", &["lib", "log", "run"]),
        ("/usr", &["lib"]),
    ] {
        let root = Root::new();
        drop(root.machine().running());
        let mine = root.path("/mine");
        fs::rename(root.path(directory), &mine).unwrap();
        root.directory(directory);
        for name in lacks {
            let path = mine.join(name);
            if directory == "/usr" {
                continue; // its libraries are needed
            }
            fs::remove_dir_all(&path)
                .or_else(|_| fs::remove_file(&path))
                .unwrap();
        }
        let start = root.machine().bind_read_only(&mine, directory);
        let daemon = start.running();
        let mut expected: Vec<_> = lacks
            .iter()
            .map(|name| format!("layout {directory}/{name}: {READ_ONLY}"))
            .collect();
        if directory == "/usr" {
            expected.clear();
        }
        assert_eq!(warnings(&daemon), expected);
    }
}

/// An engine that mounts all of them itself.
fn c3_a_read_only_root_in_a_container() {
    let root = Root::new();
    let mut start = root.container();
    for place in ["/etc", "/root", "/tmp", "/var"] {
        root.directory(place);
        start = start.before(Before::mount("tmpfs", place));
    }
    root.link("/lib64", "usr/lib64");
    let daemon = start.before(Before::ReadOnly { at: "/".into() }).running();
    let expected = ["/bin", "/lib", "/sbin"].map(|path| format!("layout {path}: {READ_ONLY}"));
    assert_eq!(warnings(&daemon)[..3], expected);
}

fn c4_the_target_of_a_dangling_link_is_made() {
    for (link, target, made, bits) in [
        ("/root", "var/roothome", "/var/roothome", 0o700),
        ("/root", "/data/one/root", "/data/one/root", 0o700),
        ("/tmp", "var/tmp", "/var/tmp", 0o1777),
        ("/var", "data/var", "/data/var", 0o755),
        ("/etc", "/data/etc", "/data/etc", 0o755),
        ("/var/lib", "../data/lib", "/data/lib", 0o755),
        (
            "/var/lib/docker",
            "/mnt/disk/docker",
            "/mnt/disk/docker",
            0o710,
        ),
        ("/var/run", "/elsewhere", "/elsewhere", 0o755),
        ("/var/log", "../../../logs", "/logs", 0o755),
    ] {
        let root = Root::new();
        let _ = fs::remove_dir_all(root.path(link));
        root.link(link, target);
        let start = root
            .machine()
            .variable("DOCKER_LAUNCH_PREREQUISITES", "skip");
        let daemon = start.running();
        let meta = fs::metadata(root.path(made)).unwrap();
        assert_eq!(
            (meta.is_dir(), meta.mode() & 0o7777),
            (true, bits),
            "{link}"
        );
        assert_eq!(
            fs::read_link(root.path(link)).unwrap().to_str(),
            Some(target)
        );
        assert_eq!(warnings(&daemon), [""; 0], "{link}");
        drop(daemon);
        let before = root.tree();
        let start = root
            .machine()
            .variable("DOCKER_LAUNCH_PREREQUISITES", "skip");
        drop(start.running());
        assert_eq!(root.tree(), before);
    }
    // A link to a dangling link.
    let root = Root::new();
    root.link("/root", "var/home")
        .link("/var/home", "../data/home");
    let daemon = root.machine().running();
    assert!(root.path("/data/home/.ssh").is_dir());
    assert_eq!(warnings(&daemon), [""; 0]);
}

fn c4_a_circular_link_is_skipped() {
    let root = Root::new();
    root.link("/root", "root")
        .link("/tmp", "var/tmp")
        .link("/var/tmp", "../tmp");
    let daemon = root.machine().running();
    let circle = |path| format!("layout {path}: too many levels of symbolic links (ELOOP)");
    assert_eq!(warnings(&daemon), ["/root", "/tmp"].map(circle));
    // A file in place of a directory.
    let root = Root::new();
    root.file("/root", "mine");
    let daemon = root.machine().running();
    assert_eq!(
        warnings(&daemon),
        ["layout /root: not a directory (ENOTDIR)"]
    );
}

const DAEMON_JSON: &str = "/etc/docker/daemon.json";

fn left(why: &str) -> String {
    format!("layout {DAEMON_JSON}: it is empty, and {why}")
}

fn c5_an_empty_daemon_json_that_is_mounted() {
    for read_only in [false, true] {
        let root = Root::new();
        root.file("/mine", "")
            .file(DAEMON_JSON, "{\"under\": 1}")
            .file("/usr/etc/docker/daemon.json", "{\"default\": 1}");
        let mut start = root
            .container()
            .before(Before::bind(root.path("/mine"), DAEMON_JSON));
        if read_only {
            start = start.before(Before::ReadOnly {
                at: DAEMON_JSON.into(),
            });
        }
        let daemon = start.running();
        let line = left("stays because it is a mount; write {} to the mounted file");
        assert_eq!(warnings(&daemon), [line]);
        assert_eq!(daemon.read(DAEMON_JSON), "");
        assert_eq!(root.read("/mine"), "");
    }
}

/// The same if a whole directory is mounted, with key.json beside daemon.json.
fn c5_an_empty_daemon_json_on_a_read_only_file_system() {
    let root = Root::new();
    root.file("/mine/daemon.json", "")
        .file("/mine/key.json", "");
    root.directory("/etc/docker");
    let at = "/etc/docker";
    let start = root.container().bind_read_only(root.path("/mine"), at);
    let daemon = start.running();
    let line = left("its file system is read-only; write {} to it");
    assert_eq!(
        warnings(&daemon),
        [line.replace("daemon.json", "key.json"), line]
    );
}

/// /dev/null, mounted or linked, means no settings.
fn c5_dev_null_as_daemon_json() {
    let root = Root::new();
    root.file(DAEMON_JSON, "under");
    let start = root
        .container()
        .before(Before::bind("/dev/null", DAEMON_JSON));
    assert_eq!(warnings(&start.running()), [""; 0]);
    let root = Root::new();
    root.link(DAEMON_JSON, "/dev/null");
    assert_eq!(warnings(&root.container().running()), [""; 0]);
    for nothing in ["   ", "\n\n\n", "\t"] {
        let root = Root::new();
        root.file("/mine", nothing).file(DAEMON_JSON, "under");
        let start = root
            .container()
            .before(Before::bind(root.path("/mine"), DAEMON_JSON));
        drop(start.running());
    }
}
