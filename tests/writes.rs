//! How files are written: to a temporary file, synced, renamed. An empty generated file is written again; temporary files of an
//! interrupted launch are removed; set-user-ID is kept only with the owner.

use crate::{
    calls::{Fate, root, trace, traced},
    root::Root,
    running::{Running, mode},
    util::{Before, Needs, tests},
};
use nix::{
    errno::Errno,
    sys::statfs::{TMPFS_MAGIC, statfs},
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
};

tests![Needs::Root;
    a4_a_file_is_durable_before_it_has_its_name,
    a4_the_files_of_a_machine_are_synced_in_one_go,
    a4_in_memory_nothing_is_synced,
    a4_a_file_that_cannot_be_synced_is_not_renamed,
    a4_an_empty_generated_file_is_written_again,
    a4_an_intentionally_empty_file_stays,
    a4_files_left_by_an_interrupted_launch_are_removed,
    a4_the_next_launch_repairs_an_interrupted_one,
    a6_set_user_id_is_dropped_without_the_owner,
];

/// Whether the file system of the images is on a disk at all.
fn lasts(root: &Root) -> bool {
    statfs(&root.path("/")).unwrap().filesystem_type() != TMPFS_MAGIC
}

const NAMES: [&str; 5] = ["group", "hosts", "nsswitch.conf", "machine-id", "passwd"];

fn aside(name: &str) -> String {
    format!("/etc/.dockerlaunch.new.{name}")
}

fn a4_a_file_is_durable_before_it_has_its_name() {
    let root = root();
    let mut expected = Vec::new();
    for name in NAMES {
        expected.push(format!("write {}", aside(name)));
        if lasts(&root) {
            expected.push(format!("fsync {}", aside(name)));
        }
        expected.push(format!("rename /etc/{name}"));
    }
    if lasts(&root) {
        expected.push("fsync /etc".into());
    }
    assert_eq!(trace(root.container(), Fate::Nothing), expected);
    // Nothing is written again, and nothing is synced.
    assert_eq!(trace(root.container(), Fate::Nothing), [""; 0]);
}

fn a4_the_files_of_a_machine_are_synced_in_one_go() {
    let root = root();
    root.file("/usr/etc/ssl/certs/ca.crt", "ca")
        .file("/usr/etc/group", "default\n");
    let calls = trace(root.machine(), Fate::Nothing);
    let files = ["ssl/certs/.dockerlaunch.new.ca.crt".to_string()]
        .into_iter()
        .chain(NAMES.map(|name| format!(".dockerlaunch.new.{name}")));
    let files: Vec<_> = files.map(|file| format!("write /etc/{file}")).collect();
    let places = |verb: &str| -> Vec<usize> {
        let found = calls.iter().enumerate();
        found
            .filter(|(_, call)| call.starts_with(verb))
            .map(|(place, _)| place)
            .collect()
    };
    for file in files {
        assert!(calls.contains(&file), "{file}: {calls:?}");
    }
    let (writes, syncs, renames) = (places("write"), places("syncfs /etc"), places("rename"));
    assert_eq!(renames.len(), 6, "{calls:?}");
    assert_eq!(root.read("/etc/group"), "default\n");
    assert_eq!(places("fsync"), [0; 0]);
    if lasts(&root) {
        assert_eq!(syncs.len(), 2, "{calls:?}");
        assert!(writes.iter().all(|write| *write < syncs[0]), "{calls:?}");
        let between = |rename: &usize| syncs[0] < *rename && *rename < syncs[1];
        assert!(renames.iter().all(between), "{calls:?}");
    } else {
        assert_eq!(syncs, [0; 0]);
    }
}

fn a4_in_memory_nothing_is_synced() {
    for role in [Root::machine, Root::container] {
        let root = root();
        root.directory("/etc");
        let start = role(&root).before(Before::mount("tmpfs", "/etc"));
        let calls = trace(start, Fate::Nothing);
        assert_eq!(calls.len(), 2 * NAMES.len(), "{calls:?}");
        assert!(!calls.iter().any(|call| call.contains("sync")), "{calls:?}");
    }
}

/// A disk that fails: after the next power failure the name would lead to nothing.
fn a4_a_file_that_cannot_be_synced_is_not_renamed() {
    let line = |path: &str, reason| format!("dockerlaunch: warning: layout {path}: {reason}\n");
    let io = "input/output error (EIO)";
    let root = root();
    if lasts(&root) {
        let fate = Fate::Refused("fsync /etc/.dockerlaunch.new.group", Errno::EIO);
        let (calls, said) = traced(root.container(), fate);
        assert!(said.contains(&line("/etc/group", io)), "{calls:?} {said}");
        assert!(!root.path("/etc/group").exists());
        assert!(root.read("/etc/hosts").contains("localhost"));
        assert_eq!(left(&root), [""; 0]);
    }
    let other = crate::calls::root();
    if lasts(&other) {
        let (_, said) = traced(other.machine(), Fate::Refused("syncfs /etc", Errno::EIO));
        assert!(said.contains(&line("/etc", io)), "{said}");
        assert!(
            NAMES
                .iter()
                .all(|name| !other.path(&format!("/etc/{name}")).exists())
        );
        assert_eq!(left(&other), [""; 0]);
    }
    // A file system that does not support fsync is no error.
    let root = crate::calls::root();
    let fate = Fate::Refused("fsync /etc/.dockerlaunch.new.group", Errno::EINVAL);
    let (_, said) = traced(root.container(), fate);
    assert!(!said.contains("layout"), "{said}");
    assert!(root.path("/etc/group").exists());
}

fn again(path: &str) -> String {
    format!("dockerlaunch: warning: {path} was empty, as after a power cut: it is written again\n")
}

/// A user saw this 8 s after the first start.
fn a4_an_empty_generated_file_is_written_again() {
    let root = Root::new();
    drop(root.machine().running());
    let before = NAMES.map(|name| root.read(&format!("/etc/{name}")));
    root.file("/usr/etc/ssl/openssl.cnf", "default\n")
        .file("/etc/ssl/openssl.cnf", "");
    let passwd = root.path("/etc/passwd");
    for name in NAMES {
        fs::write(root.path(&format!("/etc/{name}")), "").unwrap();
    }
    let daemon = root.machine().running();
    for (name, contents) in NAMES.iter().zip(before) {
        let path = format!("/etc/{name}");
        if *name == "machine-id" {
            assert_eq!(root.read(&path).len(), contents.len());
            assert!(
                daemon
                    .log()
                    .contains("/etc/machine-id was empty: a new one is written\n")
            );
        } else {
            assert_eq!(root.read(&path), contents);
            assert!(daemon.log().contains(&again(&path)), "{}", daemon.log());
        }
    }
    assert_eq!(mode(&passwd), 0o644);
    assert_eq!(root.read("/etc/ssl/openssl.cnf"), "default\n");
    assert!(daemon.log().contains(&again("/etc/ssl/openssl.cnf")));
    drop(daemon);
    let before = root.tree();
    let daemon = root.machine().running();
    assert!(!daemon.log().contains("was empty"), "{}", daemon.log());
    assert_eq!(root.tree(), before);
}

/// The default of the image is empty, a link leads to an empty file, or somebody has mounted one.
fn a4_an_intentionally_empty_file_stays() {
    let root = Root::new();
    root.file("/usr/etc/subuid", "")
        .file("/etc/subuid", "")
        .file("/usr/etc/fstab", "default\n")
        .file("/etc/fstab", "mine\n")
        .file("/mine/empty", "")
        .link("/etc/hosts", "../mine/empty")
        .file("/etc/passwd", "under\n");
    let mounted = Before::bind(root.path("/mine/empty"), "/etc/passwd");
    let daemon = root.machine().before(mounted).running();
    assert!(!daemon.log().contains("was empty"), "{}", daemon.log());
    assert_eq!(daemon.read("/etc/passwd"), "");
    assert_eq!(daemon.read("/mine/empty"), "");
    assert_eq!(root.read("/etc/passwd"), "under\n");
    assert_eq!(root.read("/etc/subuid"), "");
    assert_eq!(root.read("/etc/fstab"), "mine\n");
}

/// The same where an older version has left it. What is not a regular file belongs to somebody else and does no harm.
fn a4_files_left_by_an_interrupted_launch_are_removed() {
    let root = Root::new();
    root.file("/etc/.dockerlaunch.new", "half")
        .file(&aside("hosts"), "half")
        .file(&aside("gone"), "half")
        .file("/usr/etc/ssl/openssl.cnf", "default\n")
        .file("/etc/ssl/.dockerlaunch.new.openssl.cnf", "half")
        .file("/etc/ssl/.dockerlaunch.new.gone", "half")
        .directory(&aside("own"));
    let daemon = root.machine().running();
    assert!(root.read("/etc/hosts").contains("localhost"));
    assert_eq!(root.read("/etc/ssl/openssl.cnf"), "default\n");
    assert_eq!(left(&root), [&aside("own")[1..]]);
    assert!(!daemon.log().contains("layout"), "{}", daemon.log());
    drop(daemon);
    // If it is in the way of a file of the launch, the log names it.
    let root = Root::new();
    root.directory(&aside("group"));
    let daemon = root.container().running();
    let line =
        "dockerlaunch: warning: layout /etc/.dockerlaunch.new.group: is a directory (EISDIR)\n";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    assert!(root.read("/etc/hosts").contains("localhost"));
}

fn left(root: &Root) -> Vec<String> {
    let paths = root.tree().into_keys();
    paths
        .map(|path| path.to_str().unwrap().to_string())
        .filter(|path| path.contains(".dockerlaunch"))
        .collect()
}

fn a4_the_next_launch_repairs_an_interrupted_one() {
    for role in [Root::machine, Root::container] {
        for cut in (0..).step_by(2) {
            let root = root();
            root.file("/usr/etc/ssl/openssl.cnf", "default\n");
            let calls = trace(role(&root), Fate::Killed(cut));
            for path in NAMES.map(|name| format!("/etc/{name}")) {
                let contents = fs::read(root.path(&path));
                assert!(
                    contents.is_ok_and(|bytes| !bytes.is_empty()) || !root.path(&path).exists()
                );
            }
            drop(role(&root).running());
            for path in NAMES.map(|name| format!("/etc/{name}")) {
                assert!(!root.read(&path).is_empty(), "{path} {calls:?}");
            }
            assert_eq!(root.read("/etc/ssl/openssl.cnf"), "default\n");
            assert_eq!(left(&root), [""; 0], "{calls:?}");
            if calls.len() < cut {
                break;
            }
        }
    }
}

/// The capability CAP_CHOWN.
const CHOWN: u32 = 0;

fn a6_set_user_id_is_dropped_without_the_owner() {
    for may_chown in [true, false] {
        let root = Root::new();
        root.file("/usr/etc/tool", "#!").file("/usr/etc/plain", "");
        root.directory("/usr/etc/shared")
            .directory("/usr/etc/sticky");
        for (place, bits) in [
            ("tool", 0o6755),
            ("plain", 0o640),
            ("shared", 0o2775),
            ("sticky", 0o1777),
        ] {
            let place = format!("/usr/etc/{place}");
            chown(root.path(&place), Some(5), Some(7)).unwrap();
            root.mode(&place, bits);
        }
        let mut start = root.container();
        if !may_chown {
            start = start.before(Before::DropCapability(CHOWN));
        }
        let daemon: Running<'_> = start.running();
        let made = |name: &str| {
            let meta = fs::metadata(root.path(&format!("/etc/{name}"))).unwrap();
            (meta.mode() & 0o7777, meta.uid(), meta.gid())
        };
        let lost = |name: &str| {
            let line = format!(
                "/etc/{name} lost its set-user-ID and set-group-ID bits: its owner could not be kept\n"
            );
            daemon.log().contains(&line)
        };
        assert_eq!(
            [lost("tool"), lost("shared")],
            [!may_chown; 2],
            "{}",
            daemon.log()
        );
        assert!(!lost("plain") && !lost("sticky"));
        let all = [made("tool"), made("plain"), made("shared"), made("sticky")];
        if may_chown {
            let modes = [0o6755, 0o640, 0o2775, 0o1777];
            assert_eq!(all, modes.map(|mode| (mode, 5, 7)));
        } else {
            let modes = [0o755, 0o640, 0o775, 0o1777];
            assert_eq!(all, modes.map(|mode| (mode, 0, 0)));
        }
    }
}
