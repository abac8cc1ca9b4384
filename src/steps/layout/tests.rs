//! The layout in a directory of its own.

use super::*;
use crate::settings::{Role, Settings};
use std::{
    env,
    ffi::CString,
    format, fs as std_fs,
    os::unix::fs::{MetadataExt, symlink},
    path::PathBuf,
    string::ToString,
};

fn scratch(name: &str) -> (PathBuf, Root) {
    let path = env::temp_dir().join(format!("layout-{name}-{}", std::process::id()));
    let _ = std_fs::remove_dir_all(&path);
    std_fs::create_dir_all(&path).unwrap();
    umask(Mode::empty());
    let root = Root::open(&CString::new(path.to_str().unwrap()).unwrap()).unwrap();
    (path, root)
}

fn fill(root: &Root) {
    let settings = Settings::default();
    crate::kernel::requests::blocked(&settings, |before| {
        let launch = Launch::new((Role::Machine, false), &settings, before);
        create_in(&launch, root);
    });
}

fn mode(path: PathBuf) -> u32 {
    std_fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn fills_an_empty_directory_and_a_second_run_changes_nothing() {
    let (path, root) = scratch("empty");
    fill(&root);
    assert_eq!(mode(path.join("tmp")), 0o1777);
    assert_eq!(mode(path.join("root/.ssh")), 0o700);
    assert_eq!(mode(path.join("var/lib/docker")), 0o710);
    assert_eq!(
        std_fs::read_link(path.join("var/run")).unwrap().to_str(),
        Some("../run")
    );
    let id = std_fs::read_to_string(path.join("etc/machine-id")).unwrap();
    let digits = id.strip_suffix('\n').unwrap();
    assert!(
        digits.len() == 32
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    );
    let before = std_fs::metadata(path.join("etc/passwd")).unwrap();
    fill(&root);
    let after = std_fs::metadata(path.join("etc/passwd")).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
    assert_eq!(
        std_fs::read_to_string(path.join("etc/machine-id")).unwrap(),
        id
    );
    std_fs::remove_dir_all(path).unwrap();
}

#[test]
fn copies_missing_defaults_and_never_follows_a_link() {
    let (path, root) = scratch("defaults");
    for directory in [
        "usr/etc/ssl/certs",
        "usr/etc/kept",
        "usr/etc/elsewhere",
        "etc/ssl",
        "outside",
    ] {
        std_fs::create_dir_all(path.join(directory)).unwrap();
    }
    for (file, contents) in [
        ("usr/etc/ssl/certs/ca.crt", "ca"),
        ("usr/etc/hostname", "image\n"),
        ("usr/etc/elsewhere/file", "x"),
        ("etc/ssl/own", "own"),
        ("usr/etc/taken", "default"),
        ("etc/taken", "mine"),
    ] {
        std_fs::write(path.join(file), contents).unwrap();
    }
    symlink("../outside", path.join("etc/elsewhere")).unwrap();
    symlink("ca.crt", path.join("usr/etc/ssl/certs/link")).unwrap();
    fill(&root);
    let read = |file: &str| {
        std_fs::read_to_string(path.join(file)).map_err(|error| error.kind().to_string())
    };
    assert_eq!(read("etc/ssl/certs/ca.crt").unwrap(), "ca");
    assert_eq!(read("etc/ssl/certs/link").unwrap(), "ca");
    assert_eq!(read("etc/hostname").unwrap(), "image\n");
    assert_eq!(read("etc/taken").unwrap(), "mine");
    assert_eq!(read("etc/ssl/own").unwrap(), "own");
    assert!(path.join("etc/kept").is_dir());
    assert_eq!(read("outside/file").unwrap_err(), "entity not found");
    assert_eq!(
        std_fs::read_dir(path.join("etc"))
            .unwrap()
            .filter(|entry| entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .ends_with(".new"))
            .count(),
        0
    );
    std_fs::remove_dir_all(path).unwrap();
}
