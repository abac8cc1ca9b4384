//! What `--check` reports about the data root, judged by the directory itself; and what it reports if daemon.json cannot be
//! read.

use crate::{
    check::{check, objects, of, whole},
    prerequisites::remove,
    root::Root,
    running::Start,
    util::{Before, Needs, program, tests},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::Command,
};

tests![Needs::Check;
    e1_a_data_root_is_found_behind_links_and_spaces,
    e1_the_upper_of_two_mounts_at_one_path_counts,
    e3_another_storage_driver_needs_no_overlay,
    e4_files_that_a_user_may_not_read_are_unknown,
    e4_an_unreadable_file_is_reported;
    Needs::Fuse => e2_a_data_root_on_fuse_is_unfit,
];

/// The state of that data root, and how it was judged or why.
fn judged(start: Start<'_>, root: &str) -> (String, String) {
    let objects = objects(&start.ended());
    let object = of(&objects, root);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let detail = ["how", "because", "fault"]
        .map(|key| text(&object[key]))
        .concat();
    (text(&object["state"]), detail)
}

/// An overlay at this path, as `docker run` gives one to a container.
fn overlay<'r>(root: &'r Root, start: Start<'r>, at: &str) -> Start<'r> {
    for folder in ["/lower/data", "/srv/tmpfs", at] {
        root.directory(folder);
    }
    let path = |at: &str| root.path(at).display().to_string();
    let (upper, work) = ("/srv/tmpfs/upper", "/srv/tmpfs/work");
    start
        .before(Before::mount("tmpfs", "/srv/tmpfs"))
        .before(Before::Directory { at: upper.into() })
        .before(Before::Directory { at: work.into() })
        .before(Before::Mount {
            kind: "overlay".into(),
            at: at.into(),
            data: format!(
                "lowerdir={},upperdir={},workdir={}",
                path("/lower"),
                path(upper),
                path(work)
            ),
        })
}

fn e1_a_data_root_is_found_behind_links_and_spaces() {
    let root = whole();
    fs::remove_dir(root.path("/var/lib/docker")).unwrap();
    root.directory("/mnt/disk/docker")
        .directory("/mnt/a b/docker")
        .directory("/mnt/back\\slash")
        .link("/var/lib/docker", "/mnt/disk/docker")
        .link("/srv/inside", "../merged/data");
    let tmpfs = "tmpfs, with d_type";
    for (mounted, data_root) in [
        ("/mnt/disk/docker", "/var/lib/docker"),
        ("/mnt/a b", "/mnt/a b/docker"),
        ("/mnt/a b/docker", "/mnt/a b/docker/and/deeper"),
        ("/mnt/back\\slash", "/mnt/back\\slash"),
    ] {
        let start = root.container().words(["--check=json"]);
        let start = start.before(Before::mount("tmpfs", mounted));
        let start = start.words([format!("--data-root={data_root}")]);
        assert_eq!(
            judged(start, data_root),
            ("found".into(), tmpfs.into()),
            "{mounted}"
        );
    }
    // The other way round: a link leads into an overlay, although its own path is on tmpfs.
    for data_root in ["/srv/inside", "/srv/inside/docker"] {
        let start = root.container().words(["--check=json"]);
        let start = overlay(&root, start, "/merged");
        let start = start.words([format!("--data-root={data_root}")]);
        assert_eq!(
            judged(start, data_root),
            ("missing".into(), "overlay".into())
        );
    }
}

fn e1_the_upper_of_two_mounts_at_one_path_counts() {
    let root = whole();
    let start = overlay(&root, check(&root, "--check=json"), "/merged");
    let start = start
        .before(Before::mount("tmpfs", "/merged"))
        .words(["--data-root=/merged"]);
    assert_eq!(judged(start, "/merged").0, "found");
    // A mount that a later mount above it hides does not count.
    let start = overlay(&root, check(&root, "--check=json"), "/hidden/merged");
    let start = start
        .before(Before::mount("tmpfs", "/hidden"))
        .words(["--data-root=/hidden/merged"]);
    assert_eq!(judged(start, "/hidden/merged").0, "found");
}

/// No FUSE server answers here: `--check` must not ask for anything.
fn e2_a_data_root_on_fuse_is_unfit() {
    for kind in ["fuse", "fuse.shfs", "fuse.mergerfs"] {
        let root = whole();
        root.directory("/mnt/user");
        let start = check(&root, "--check=json").before(Before::mount(kind, "/mnt/user"));
        let start = start.words(["--data-root=/mnt/user"]);
        let ended = start.ended();
        let objects = objects(&ended);
        let object = of(&objects, "/mnt/user");
        assert_eq!(
            (&object["state"], &object["fault"]),
            (&"missing".into(), &Value::Null)
        );
        assert_eq!((&object["how"], ended.status), (&kind.into(), 1));
    }
}

fn e3_another_storage_driver_needs_no_overlay() {
    let root = whole();
    let on_overlay =
        || overlay(&root, check(&root, "--check=json"), "/merged").words(["--data-root=/merged"]);
    let needless = (
        "not needed".into(),
        "another storage driver was chosen: overlay".into(),
    );
    for words in [
        &["--storage-driver=vfs"][..],
        &["-s", "fuse-overlayfs"],
        &["-Dsvfs"],
        &["--storage-driver=overlay2", "--storage-driver=btrfs"],
    ] {
        assert_eq!(
            judged(on_overlay().words(words), "/merged"),
            needless,
            "{words:?}"
        );
    }
    assert_eq!(
        judged(on_overlay().variable("DOCKER_DRIVER", "vfs"), "/merged"),
        needless
    );
    root.file("/etc/docker/daemon.json", r#"{"storage-driver": "vfs"}"#);
    assert_eq!(judged(on_overlay(), "/merged"), needless);
    let missing = ("missing".into(), "overlay".into());
    for words in [
        &["--storage-driver=overlay2"][..],
        &["--storage-driver=overlayfs"],
        &["--storage-driver="],
    ] {
        assert_eq!(
            judged(on_overlay().words(words), "/merged"),
            missing,
            "{words:?}"
        );
    }
    // The kernel has no overlay either.
    let start = check(&root, "--check=json").before(Before::mount("tmpfs", "/lib/modules"));
    let start = start.before(Before::mount("tmpfs", "/sys/module"));
    root.file("/filesystems", "nodev\ttmpfs\n");
    let start = start.before(Before::bind(root.path("/filesystems"), "/proc/filesystems"));
    let objects = objects(&start.ended());
    assert!(
        ["not needed", "found"]
            .map(Value::from)
            .contains(&of(&objects, "overlay")["state"])
    );
}

/// A copy of the program that every user can run, and beside it a daemon.json that only root can read.
struct Outside {
    folder: PathBuf,
}

impl Outside {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("check-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        // Another process copies it: a test that forks now would keep it open for writing.
        let copied = Command::new("cp").arg(program()).arg(&folder).status();
        assert!(copied.unwrap().success());
        let file = folder.join("daemon.json");
        fs::write(
            &file,
            r#"{"iptables": false, "storage-driver": "vfs", "data-root": "/srv"}"#,
        )
        .unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder }
    }

    /// The report for the user nobody.
    fn check(&self, words: &[&str]) -> Vec<Value> {
        let mut command = Command::new(self.folder.join("dockerlaunch"));
        command
            .env_clear()
            .env("PATH", "/nothing")
            .uid(65_534)
            .gid(65_534);
        command.arg("--check=json").args(words);
        let file = self.folder.join("daemon.json");
        command.arg("--config-file").arg(file);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn e4_files_that_a_user_may_not_read_are_unknown() {
    let outside = Outside::new();
    let objects = outside.check(&[]);
    let file = outside.folder.join("daemon.json");
    let object = of(&objects, file.to_str().unwrap());
    assert_eq!(
        (&object["state"], &object["fault"]),
        (&"unknown".into(), &"permission denied (EACCES)".into())
    );
    // The file might say --iptables=false, but it cannot change that dockerd is needed.
    for name in ["iptables", "nft"] {
        assert_eq!(of(&objects, name)["state"], "unknown");
    }
    assert_eq!(of(&objects, "dockerd")["state"], "missing");
    let how = of(&objects, "/var/lib/docker")["how"].to_string();
    assert!(
        how.contains("unless the unreadable file says otherwise: "),
        "{how}"
    );
    // What the arguments say is known all the same.
    let objects = outside.check(&["--init-path=/x", "--data-root=/var/lib/other"]);
    assert_eq!(of(&objects, "docker-init")["state"], "not needed");
    assert_eq!(of(&objects, "/var/lib/other")["kind"], "data root");
    // A data root that the user may not enter.
    let closed = outside.folder.join("closed");
    fs::create_dir_all(closed.join("docker")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let path = closed.join("docker");
    let path = path.to_str().unwrap();
    let objects = outside.check(&["--data-root", path]);
    assert_eq!(of(&objects, path)["state"], "unknown");
    let how = of(&objects, path)["how"].to_string();
    assert!(
        how.contains("cannot be read: permission denied (EACCES)"),
        "{how}"
    );
}

fn e4_an_unreadable_file_is_reported() {
    let root = whole();
    remove(&root, "iptables");
    root.directory("/etc/docker/daemon.json");
    let ended = check(&root, "--check=json").ended();
    let objects = objects(&ended);
    let object = of(&objects, "/etc/docker/daemon.json");
    assert_eq!(
        (&object["state"], &object["fault"], &object["lost"]),
        (
            &"missing".into(),
            &"is a directory (EISDIR)".into(),
            &"dockerd does not start".into()
        )
    );
    let missing = &objects.last().unwrap()["missing"];
    assert_eq!(
        (ended.status, missing),
        (1, &"/etc/docker/daemon.json".into())
    );
    let human = check(&root, "--check").ended();
    let line =
        "  MISSING     /etc/docker/daemon.json  is a directory (EISDIR): dockerd does not start\n";
    assert!(human.stdout.contains(line), "{}", human.stdout);
}
