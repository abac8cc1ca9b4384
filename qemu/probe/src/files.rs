//! The part of the file system that an init prepares, entry by entry. It is limited, because the report goes over a serial port: each
//! walk has a depth, and devtmpfs's hundreds of terminals and memory devices are left out.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use nix::sys::stat::{major, minor};
use probe::File;

/// The folders of the report, each with its depth.
const WALKS: &[(&str, u32)] = &[
    ("/", 1),
    ("/dev", 2),
    ("/etc", 3),
    ("/root", 2),
    ("/run", 3),
    ("/tmp", 1),
    ("/usr", 2),
    ("/var", 3),
    ("/sys/fs/cgroup", 1),
];

/// Devices of which there are many, by the beginning of their name.
const MANY: &[&str] = &[
    "/dev/tty",
    "/dev/vcs",
    "/dev/loop",
    "/dev/ram",
    "/dev/char",
    "/dev/block",
    "/dev/cpu",
];

/// A file up to this size is reported with its content.
const SMALL: u64 = 2048;

pub(crate) fn walk() -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for (root, depth) in WALKS {
        add(Path::new(root), *depth, &mut files);
    }
    files
}

/// The entry itself, and what is in it down to `depth`; links are never followed.
fn add(path: &Path, depth: u32, files: &mut BTreeMap<String, File>) {
    let name = path.to_string_lossy().into_owned();
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    if MANY.iter().any(|many| name.starts_with(many)) {
        return;
    }
    files.insert(name, entry(path, &metadata));
    if !metadata.is_dir() || depth == 0 {
        return;
    }
    for child in fs::read_dir(path).into_iter().flatten().flatten() {
        add(&child.path(), depth - 1, files);
    }
}

fn entry(path: &Path, metadata: &Metadata) -> File {
    let kind = metadata.file_type();
    let device = || format!("{}:{}", major(metadata.rdev()), minor(metadata.rdev()));
    let (kind, content) = if kind.is_symlink() {
        (
            "link",
            fs::read_link(path)
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        )
    } else if kind.is_dir() {
        ("directory", String::new())
    } else if kind.is_socket() {
        ("socket", String::new())
    } else if kind.is_char_device() {
        ("character", device())
    } else if kind.is_block_device() {
        ("block", device())
    } else if kind.is_fifo() {
        ("fifo", String::new())
    } else {
        ("file", small(path, metadata))
    };
    let mode = format!("{:o}", metadata.mode() & 0o7777);
    File {
        kind: kind.into(),
        mode,
        user: metadata.uid(),
        group: metadata.gid(),
        content,
    }
}

/// The kernel's own files have no length, and a read may block or have an effect: files of /sys are not read.
fn small(path: &Path, metadata: &Metadata) -> String {
    if metadata.len() > SMALL || path.starts_with("/sys") {
        return String::new();
    }
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into()
}
