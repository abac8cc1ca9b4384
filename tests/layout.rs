//! Directories, links and files that Docker expects, with their modes; defaults from /usr/etc; existing files stay; a second
//! launch on the same root changes nothing; /run over a real /var/run.

use crate::{
    root::Root,
    running::mode,
    util::{Before, Needs, tests},
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
};

tests![Needs::Root;
    a_root_with_only_programs_gets_the_whole_layout,
    existing_files_stay,
    defaults_of_usr_etc_are_copied_if_etc_lacks_them,
    a_second_launch_changes_nothing,
    a_complete_read_only_root_is_accepted,
    run_is_bound_over_a_real_var_run,
    the_modes_do_not_depend_on_the_mask,
    files_are_never_written_through_links,
    a_machine_id_is_made_once,
    an_empty_machine_id_counts_as_missing,
];

const DIRECTORIES: &[(&str, u32)] = &[
    ("/etc", 0o755),
    ("/root", 0o700),
    ("/root/.ssh", 0o700),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/usr/lib", 0o755),
    ("/var", 0o755),
    ("/var/lib", 0o755),
    ("/var/lib/docker", 0o710),
    ("/var/log", 0o755),
];

const LINKS: &[(&str, &str)] = &[
    ("/bin", "usr/bin"),
    ("/etc/mtab", "../proc/self/mounts"),
    ("/lib", "usr/lib"),
    ("/lib64", "usr/lib64"),
    ("/sbin", "usr/sbin"),
    ("/var/run", "../run"),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/group", "root:x:0:\ndocker:x:999:\n"),
    (
        "/etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
];

fn assert_whole(root: &Root) {
    for (path, expected) in DIRECTORIES {
        assert!(root.path(path).is_dir(), "{path}");
        assert_eq!(mode(&root.path(path)), *expected, "{path}");
    }
    for (path, target) in LINKS {
        assert_eq!(
            fs::read_link(root.path(path)).unwrap().to_str(),
            Some(*target),
            "{path}"
        );
    }
    for (path, contents) in FILES {
        assert_eq!(root.read(path), *contents, "{path}");
        assert_eq!(mode(&root.path(path)), 0o644, "{path}");
    }
    assert_is_id(&root.read(MACHINE_ID));
    assert_eq!(mode(&root.path(MACHINE_ID)), 0o444);
}

const MACHINE_ID: &str = "/etc/machine-id";

/// machine-id(5): 32 hexadecimal digits in lower case, and a newline.
fn assert_is_id(id: &str) {
    let digits = id.strip_suffix('\n').unwrap();
    let is_digit = |letter| matches!(letter, '0'..='9' | 'a'..='f');
    assert!(digits.len() == 32 && digits.chars().all(is_digit), "{id}");
}

fn a_root_with_only_programs_gets_the_whole_layout() {
    let root = Root::bare();
    let skip = ("DOCKER_LAUNCH_PREREQUISITES", "skip");
    let _daemon = root.machine().variable(skip.0, skip.1).running();
    assert_whole(&root);
    // The launch made nothing else but mount points.
    let known = [
        "proc",
        "sys",
        "dev",
        "run", // mounted
        "started",
        "usr/bin",
        "usr/bin/dockerd",
        "usr/bin/dockerlaunch", // the image
        "etc/machine-id",
    ];
    for path in root.tree().keys().map(|path| path.to_str().unwrap()) {
        let ours = |list: &[(&str, &str)]| list.iter().any(|(name, _)| name[1..] == *path);
        let expected =
            ours(LINKS) || ours(FILES) || DIRECTORIES.iter().any(|(name, _)| name[1..] == *path);
        assert!(
            expected || known.contains(&path) || path.starts_with("usr/lib"),
            "{path}"
        );
    }
}

fn the_modes_do_not_depend_on_the_mask() {
    let root = Root::new();
    let daemon = root.machine().before(Before::Umask(0o077)).running();
    assert_whole(&root);
    // The daemon gets its original umask back.
    assert!(daemon.proc("status").contains("\nUmask:\t0077\n"));
}

fn existing_files_stay() {
    let root = Root::new();
    root.directory("/lib")
        .directory("/bin")
        .directory("/var/log")
        .directory("/tmp");
    root.mode("/tmp", 0o700);
    root.file("/etc/passwd", "mine\n")
        .mode("/etc/passwd", 0o600);
    root.file("/etc/mtab", "mine\n")
        .link("/var/run", "/elsewhere");
    let _daemon = root.machine().running();
    assert!(fs::symlink_metadata(root.path("/lib")).unwrap().is_dir());
    assert!(fs::symlink_metadata(root.path("/bin")).unwrap().is_dir());
    assert_eq!(mode(&root.path("/tmp")), 0o700);
    assert_eq!(
        (
            root.read("/etc/passwd").as_str(),
            mode(&root.path("/etc/passwd"))
        ),
        ("mine\n", 0o600)
    );
    assert_eq!(root.read("/etc/mtab"), "mine\n");
    assert_eq!(
        fs::read_link(root.path("/var/run")).unwrap().to_str(),
        Some("/elsewhere")
    );
}

fn defaults_of_usr_etc_are_copied_if_etc_lacks_them() {
    let root = Root::bare();
    root.file("/usr/etc/docker/daemon.json", "{\"debug\": true}")
        .mode("/usr/etc/docker/daemon.json", 0o640);
    root.directory("/usr/etc/private")
        .mode("/usr/etc/private", 0o710);
    chown(root.path("/usr/etc/private"), Some(7), Some(8)).unwrap();
    root.file("/usr/etc/hostname", "image\n");
    chown(root.path("/usr/etc/hostname"), Some(9), Some(10)).unwrap();
    root.file("/usr/etc/ssl/certs/ca-certificates.crt", "ca")
        .link("/usr/etc/ssl/cert.pem", "certs/ca-certificates.crt");
    root.file("/usr/etc/passwd", "default\n")
        .file("/etc/passwd", "mine\n");
    root.file("/etc/ssl/own", "own");
    let skip = ("DOCKER_LAUNCH_PREREQUISITES", "skip");
    let _daemon = root.machine().variable(skip.0, skip.1).running();
    assert_eq!(root.read("/etc/docker/daemon.json"), "{\"debug\": true}");
    assert_eq!(mode(&root.path("/etc/docker/daemon.json")), 0o640);
    assert_eq!(mode(&root.path("/etc/private")), 0o710);
    assert_eq!(owner(&root, "/etc/private"), (7, 8));
    assert_eq!(root.read("/etc/hostname"), "image\n");
    assert_eq!(owner(&root, "/etc/hostname"), (9, 10));
    assert_eq!(root.read("/etc/ssl/certs/ca-certificates.crt"), "ca");
    assert_eq!(
        fs::read_link(root.path("/etc/ssl/cert.pem"))
            .unwrap()
            .to_str(),
        Some("certs/ca-certificates.crt")
    );
    assert_eq!(root.read("/etc/passwd"), "mine\n");
    assert_eq!(root.read("/etc/ssl/own"), "own");
    // No temporary file is left.
    assert!(
        !root
            .tree()
            .keys()
            .any(|path| path.to_str().unwrap().contains(".dockerlaunch"))
    );
}

fn owner(root: &Root, path: &str) -> (u32, u32) {
    let meta = root.path(path).metadata().unwrap();
    (meta.uid(), meta.gid())
}

fn a_second_launch_changes_nothing() {
    let root = Root::new();
    root.file("/usr/etc/docker/daemon.json", "{}");
    drop(root.machine().running());
    let first = root.tree();
    drop(root.machine().running());
    assert_eq!(root.tree(), first);
}

fn a_complete_read_only_root_is_accepted() {
    let root = Root::new();
    drop(root.machine().running());
    let daemon = root
        .machine()
        .before(Before::ReadOnly { at: "/".into() })
        .running();
    assert_eq!(daemon.mount_at("/").flags, "ro,relatime");
}

fn run_is_bound_over_a_real_var_run() {
    let root = Root::new();
    root.file("/var/run/docker.pid", "1");
    let daemon = root
        .container()
        .words(["dockerlaunch", "dockerd"])
        .running();
    let over: Vec<_> = daemon
        .mounts()
        .into_iter()
        .filter(|mount| mount.at == "/var/run")
        .collect();
    assert_eq!(over.len(), 1, "{over:?}");
    assert_eq!((&*over[0].kind, &*over[0].data), ("tmpfs", "rw,mode=755"));
    assert!(!daemon.path("/var/run/docker.pid").exists());
    // It is still below the mount, unchanged.
    assert_eq!(root.read("/var/run/docker.pid"), "1");
}

fn files_are_never_written_through_links() {
    let root = Root::new();
    root.directory("/outside")
        .link("/etc/hosts", "/outside/hosts")
        .link("/etc/docker", "/outside");
    root.file("/usr/etc/docker/daemon.json", "{}");
    let _daemon = root.machine().running();
    assert_eq!(fs::read_dir(root.path("/outside")).unwrap().count(), 0);
}

fn a_machine_id_is_made_once() {
    let (root, other) = (Root::new(), Root::new());
    drop(root.machine().running());
    let id = root.read(MACHINE_ID);
    drop(root.machine().running());
    assert_eq!(root.read(MACHINE_ID), id);
    drop(other.machine().running());
    assert_ne!(other.read(MACHINE_ID), id);
}

/// Images that are made for many machines contain an empty one.
fn an_empty_machine_id_counts_as_missing() {
    let root = Root::new();
    root.file(MACHINE_ID, "");
    drop(root.machine().running());
    assert_is_id(&root.read(MACHINE_ID));
    root.file(MACHINE_ID, "mine\n");
    drop(root.machine().running());
    assert_eq!(root.read(MACHINE_ID), "mine\n");
}
