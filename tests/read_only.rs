//! A read-only root: which directories are kept in memory, with the image's contents, while the image stays unchanged.

use crate::{
    faults::Fault,
    root::Root,
    running::{Running, Start},
    util::{Before, Needs, tests},
};
use nix::libc::{EIO, EPERM, SYS_open_tree};
use std::{collections::BTreeMap, path::PathBuf};

tests![Needs::Root;
    its_directories_are_kept_in_memory,
    c3_a_file_that_cannot_be_copied_is_named,
    d1_a_mount_that_cannot_be_kept_ends_the_launch,
    images_are_not_copied_into_memory,
    a_data_root_beside_them_is_in_memory_too,
    writable_directories_stay,
    a_container_keeps_its_mounts,
    a_container_is_prepared_once,
    run_is_new_but_keeps_the_mounts_below_it,
];

/// The mount points exist in the image.
pub(crate) fn image() -> Root {
    let root = Root::new();
    for directory in [
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/root",
        "/tmp",
        "/var/lib/docker",
    ] {
        root.directory(directory);
    }
    drop(root.machine().running());
    root
}

fn start(root: &Root, words: &[&str]) -> String {
    let daemon = running(root, words);
    daemon.log()
}

fn running<'r>(root: &'r Root, words: &[&str]) -> Running<'r> {
    let read_only = Before::ReadOnly { at: "/".into() };
    root.machine().words(words).before(read_only).running()
}

/// A disk that begins to fail: the rest of the directory is copied.
fn c3_a_file_that_cannot_be_copied_is_named() {
    let root = image();
    root.file("/etc/ssl/bad.crt", "certificate")
        .file("/etc/ssl/own.crt", "certificate")
        .directory("/etc/bad.d")
        .file("/var/lib/misc/file", "misc");
    let start = root
        .machine()
        .before(Before::ReadOnly { at: "/".into() })
        .fault(Fault::at("bad.crt", EIO))
        .fault(Fault::at("bad.d", EIO));
    let daemon = start.running();
    let log = daemon.log();
    for line in [
        "/etc/ssl/bad.crt: input/output error (EIO)",
        "/etc/bad.d: input/output error (EIO)",
    ] {
        let line = format!("dockerlaunch: warning: root {line}\n");
        assert!(log.contains(&line), "{log}");
    }
    assert_eq!(daemon.read("/etc/ssl/own.crt"), "certificate");
}

/// Otherwise what the outer engine has mounted would be hidden.
fn d1_a_mount_that_cannot_be_kept_ends_the_launch() {
    let root = image();
    let start = container(&root, true).fault(Fault::of(SYS_open_tree, EPERM));
    let ended = start.ended();
    let line = "dockerlaunch: root /etc: operation not permitted (EPERM)";
    assert_eq!(ended.status, 125);
    assert!(ended.said().starts_with(line), "{}", ended.said());
}

/// Whether a file can be made there.
fn writable(daemon: &Running<'_>, directory: &str) -> bool {
    let file = daemon.path(directory).join("made");
    std::fs::write(&file, "x").is_ok_and(|()| std::fs::remove_file(file).is_ok())
}

fn its_directories_are_kept_in_memory() {
    let root = image();
    root.file("/etc/ssl/own.crt", "certificate")
        .mode("/etc/ssl/own.crt", 0o640)
        .link("/etc/ssl/link", "own.crt")
        .file("/var/lib/misc/file", "misc")
        .file("/root/.docker/config.json", "{}")
        .file("/tmp/left", "old");
    let before = root.tree();
    let daemon = running(&root, &[]);
    for (at, mode) in [
        ("/etc", 0o755),
        ("/root", 0o700),
        ("/tmp", 0o1777),
        ("/var", 0o755),
    ] {
        let mount = daemon.mount_at(at);
        let found = crate::running::mode(&daemon.path(at));
        assert_eq!(
            (mount.kind.as_str(), found),
            ("tmpfs", mode),
            "{found:o} {mount:?}"
        );
        assert!(writable(&daemon, at), "{at}");
    }
    assert!(writable(&daemon, "/var/lib/docker"));
    assert!(!writable(&daemon, "/usr") && !writable(&daemon, "/"));
    // Containers have their programs below /var.
    assert!(!daemon.mount_at("/var").flags.contains("nosuid"));
    assert!(daemon.mount_at("/etc").flags.contains("nosuid"));
    assert_eq!(daemon.read("/etc/ssl/link"), "certificate");
    let mode = crate::running::mode(&daemon.path("/etc/ssl/own.crt"));
    assert_eq!(mode, 0o640);
    assert_eq!(daemon.read("/var/lib/misc/file"), "misc");
    assert_eq!(daemon.read("/root/.docker/config.json"), "{}");
    assert!(!daemon.path("/tmp/left").exists());
    std::fs::write(daemon.path("/etc/hosts"), "other").unwrap();
    drop(daemon);
    assert_eq!(root.tree(), before);
    // The next boot starts from the image again.
    assert!(running(&root, &[]).read("/etc/hosts").contains("localhost"));
}

fn images_are_not_copied_into_memory() {
    let root = image();
    root.file("/var/lib/docker/image", "large")
        .file("/var/lib/other/docker/file", "small");
    let daemon = running(&root, &[]);
    assert!(!daemon.path("/var/lib/docker/image").exists());
    assert_eq!(daemon.read("/var/lib/other/docker/file"), "small");
    drop(daemon);
    let daemon = running(&root, &["--data-root=/var/lib/other"]);
    assert_eq!(daemon.read("/var/lib/docker/image"), "large");
    assert!(!daemon.path("/var/lib/other/docker").exists());
}

fn a_data_root_beside_them_is_in_memory_too() {
    let root = image();
    root.file("/srv/docker/image", "large").file(
        "/etc/docker/daemon.json",
        "{\"data-root\": \"/srv/docker\"}",
    );
    let daemon = running(&root, &[]);
    assert_eq!(daemon.mount_at("/srv/docker").kind, "tmpfs");
    assert!(writable(&daemon, "/srv/docker"));
    assert!(
        !daemon
            .mounts()
            .iter()
            .any(|mount| mount.at == "/var/lib/docker")
    );
    drop(daemon);
    assert_eq!(root.read("/srv/docker/image"), "large");
}

/// A disk that somebody has mounted there, and a writable root.
fn writable_directories_stay() {
    let root = image();
    let read_only = Before::ReadOnly { at: "/".into() };
    let daemon = root
        .machine()
        .before(read_only)
        .before(Before::Mount {
            kind: "tmpfs".into(),
            at: "/var".into(),
            data: "mode=711".into(),
        })
        .running();
    assert!(daemon.mount_at("/var").data.contains("mode=711"));
    assert_eq!(daemon.mount_at("/etc").kind, "tmpfs");
    drop(daemon);
    let daemon = root.machine().running();
    assert!(!daemon.mounts().iter().any(|mount| mount.at == "/etc"));
    drop(daemon);
    let said = start(&root, &[]);
    assert!(!said.contains("read-only"), "{said}");
}

/// The files that Docker binds into a container.
const DOCKERS: [(&str, &str); 3] = [
    ("/etc/resolv.conf", "nameserver 127.0.0.11\n"),
    ("/etc/hosts", "172.17.0.2 outer\n"),
    ("/etc/hostname", "outer\n"),
];

/// `docker run --privileged -v /var/lib/docker`, and a file mounted below /tmp; with `--read-only` or without.
fn container(root: &Root, read_only: bool) -> Start<'_> {
    root.file("/outer/image", "large")
        .directory("/tmp/a/b")
        .directory("/tmp/empty/too")
        .file("/tmp/left", "old")
        .file("/etc/own", "own");
    let mut start = root
        .container()
        .before(Before::bind(root.path("/outer"), "/var/lib/docker"))
        .before(Before::bind(root.path("/outer"), "/tmp/a/b"))
        .before(Before::mount("tmpfs", "/var/lib/docker/below"));
    root.directory("/outer/below");
    for (at, contents) in DOCKERS {
        let from = format!("/outer{at}");
        root.file(at, "the image's").file(&from, contents);
        start = start.before(Before::bind(root.path(&from), at));
    }
    if read_only {
        for (at, _) in DOCKERS {
            start = start.before(Before::ReadOnly { at: at.into() });
        }
        start = start.before(Before::ReadOnly { at: "/".into() });
    }
    start
}

fn a_container_keeps_its_mounts() {
    for read_only in [false, true] {
        let root = image();
        let start = container(&root, read_only);
        let before = root.tree();
        let daemon = start.running();
        for (at, contents) in DOCKERS {
            assert_eq!(
                daemon.mount_at(at).flags.starts_with("ro"),
                read_only,
                "{at}"
            );
            assert_eq!(daemon.read(at), contents);
            // Docker writes these files again when the container joins a network.
            root.file(&format!("/outer{at}"), "changed");
            assert_eq!(daemon.read(at), "changed");
            root.file(&format!("/outer{at}"), contents);
        }
        assert_eq!(daemon.read("/etc/own"), "own");
        for at in ["/var/lib/docker", "/tmp/a/b"] {
            assert_eq!(daemon.read(&format!("{at}/image")), "large");
            assert!(writable(&daemon, at));
            assert!(root.path("/outer/image").exists());
        }
        assert_eq!(daemon.mount_at("/var/lib/docker/below").kind, "tmpfs");
        for at in ["/etc", "/root", "/tmp", "/var"] {
            let covered = daemon.mounts().iter().any(|mount| mount.at == at);
            assert_eq!(covered, read_only, "{at}");
            assert!(writable(&daemon, at), "{at}");
        }
        if read_only {
            assert!(!daemon.path("/tmp/left").exists() && !daemon.path("/tmp/empty").exists());
            drop(daemon);
            let of_the_image = |tree: &BTreeMap<PathBuf, String>| {
                let mut tree = tree.clone();
                tree.retain(|path, _| !path.starts_with("outer"));
                tree
            };
            assert_eq!(of_the_image(&root.tree()), of_the_image(&before));
        }
    }
}

/// A second launch finds all of it.
fn a_container_is_prepared_once() {
    let root = image();
    let start = container(&root, true);
    let once = Before::Launch { variables: vec![] };
    root.stand_in("/usr/bin/once");
    let daemon = start.before(once).running();
    for at in ["/etc", "/etc/hosts", "/var", "/var/lib/docker", "/tmp"] {
        let mounts = daemon.mounts();
        let seen = mounts.iter().filter(|mount| mount.at == at).count();
        // The mounts of Docker are still there, below the /etc and /var that are in memory.
        let expected = if matches!(at, "/etc/hosts" | "/var/lib/docker") {
            2
        } else {
            1
        };
        assert_eq!(seen, expected, "{at}");
    }
    assert_eq!(daemon.read("/etc/hosts"), "172.17.0.2 outer\n");
}

/// podman and Kubernetes mount files there.
fn run_is_new_but_keeps_the_mounts_below_it() {
    let root = image();
    root.file("/run/docker.pid", "77")
        .directory("/run/docker/containerd")
        .file("/run/.containerenv", "")
        .directory("/run/secrets/of")
        .file("/marker", "engine=podman")
        .file("/secrets/token", "secret");
    let start = root
        .container()
        .before(Before::bind(root.path("/marker"), "/run/.containerenv"))
        .before(Before::bind(root.path("/secrets"), "/run/secrets/of"));
    let daemon = start.running();
    assert_eq!(daemon.mount_at("/run").kind, "tmpfs");
    assert!(!daemon.log().contains("stale"), "{}", daemon.log());
    for gone in ["docker.pid", "docker"] {
        assert!(!daemon.path("/run").join(gone).exists(), "{gone}");
    }
    assert_eq!(daemon.read("/run/.containerenv"), "engine=podman");
    assert_eq!(daemon.read("/run/secrets/of/token"), "secret");
}
