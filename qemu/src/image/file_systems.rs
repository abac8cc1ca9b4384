//! A tree as a file system on a disk: it is put below a folder, and the file system's own mkfs takes it from there.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    formats::reader,
    tree::{Content, Tree},
};
use crate::{host, run};

/// Room on a disk for what containers write; the file is sparse.
const FREE: u64 = 3 << 30;

/// ext4's own use of the disk, at most: a part of the files, and its journal.
const OVERHEAD_PART: u64 = 10;
const OVERHEAD: u64 = 128 << 20;

pub fn ext4(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    let bytes = staged(tree, stage)?;
    File::create(path)?
        .set_len((bytes + bytes / OVERHEAD_PART + OVERHEAD + FREE).next_multiple_of(1 << 20))?;
    // mkfs takes owners from the stage: where we are not root, a user namespace makes us look so.
    let root = rustix::process::geteuid().is_root();
    let words: &[&str] = if root {
        &["mkfs.ext4"]
    } else {
        &["unshare", "--map-root-user", "mkfs.ext4"]
    };
    let mut command = tool(words);
    command.args(["-q", "-F", "-L", "dockerlaunch", "-E", "root_owner=0:0"]);
    run::output(command.arg("-d").arg(stage).arg(path)).map(drop)
}

pub fn erofs(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    staged(tree, stage)?;
    let mut command = tool(&["mkfs.erofs", "--quiet", "--all-root", "-zlz4"]);
    run::output(command.arg(path).arg(stage)).map(drop)
}

pub fn squashfs(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    staged(tree, stage)?;
    let mut command = tool(&["mksquashfs"]);
    command.arg(stage).arg(path);
    command.args(["-quiet", "-no-progress", "-all-root", "-comp", "zstd"]);
    run::output(command.args(["-Xcompression-level", "3"])).map(drop)
}

/// Writes the tree below the folder; the bytes of all files.
fn staged(tree: &Tree, stage: &Path) -> Result<u64> {
    fs::create_dir(stage)?;
    let mut bytes = 0;
    for (at, entry) in tree.iter() {
        let to = stage.join(at);
        let put = match &entry.content {
            Content::Directory => fs::create_dir(&to),
            Content::File(from) => fs::copy(from, &to).map(drop),
            Content::Joined(_) => io::copy(&mut reader(entry)?, &mut File::create(&to)?).map(drop),
            Content::Bytes(bytes) => fs::write(&to, bytes),
            Content::Link(target) => symlink(target, &to),
        };
        put.with_context(|| format!("write {}", to.display()))?;
        if !matches!(entry.content, Content::Link(_)) {
            fs::set_permissions(&to, Permissions::from_mode(entry.mode))?;
        }
        bytes += entry.content.size()?;
    }
    Ok(bytes)
}

fn tool(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.env("PATH", host::search_path()).args(&words[1..]);
    command
}
