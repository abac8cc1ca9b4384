//! A root that cannot be written: what is in memory then, with what the image has there, and that the image stays as it is.

use crate::{
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};

tests![Needs::Root;
    its_directories_are_kept_in_memory,
    images_are_not_copied_into_memory,
    a_data_root_beside_them_is_in_memory_too,
    what_can_be_written_stays,
];

/// With the places of mounts, as an image has them.
fn image() -> Root {
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
        ("/etc", "mode=755"),
        ("/root", "mode=700"),
        ("/tmp", "rw"),
        ("/var", "mode=755"),
    ] {
        let mount = daemon.mount_at(at);
        assert_eq!(
            (mount.kind.as_str(), mount.data.contains(mode)),
            ("tmpfs", true),
            "{mount:?}"
        );
        assert!(writable(&daemon, at), "{at}");
    }
    assert!(writable(&daemon, "/var/lib/docker"));
    assert!(!writable(&daemon, "/usr") && !writable(&daemon, "/"));
    // Programs of containers lie below /var.
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
    // The next boot has the image's again.
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

/// A disk that somebody has mounted there already, and a root that can be written.
fn what_can_be_written_stays() {
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
