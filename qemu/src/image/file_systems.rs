//! A tree as a file system on a disk: the tree is written below a folder, from which the file system's own mkfs reads it.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use anyhow::{Context, Result};

use super::tree::{Content, Tree};
use crate::host::tools::{self, of_root};

/// Room on a disk for what containers write; the file is sparse.
const FREE: u64 = 3 << 30;

/// The most that ext4 itself uses of the disk: a part of the files' size, and its journal.
const OVERHEAD_PART: u64 = 10;
const OVERHEAD: u64 = 128 << 20;

pub fn ext4(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    let bytes = staged(tree, stage)?;
    File::create(path)?
        .set_len((bytes + bytes / OVERHEAD_PART + OVERHEAD + FREE).next_multiple_of(1 << 20))?;
    // mkfs takes the owners from the stage, so it needs to run as root, or in a user namespace as its root.
    let mut command = if rustix::process::geteuid().is_root() {
        of_root("mkfs.ext4")
    } else {
        let mut command = of_root("unshare");
        command.args(["--map-root-user", "mkfs.ext4"]);
        command
    };
    command.args(["-q", "-F", "-L", "dockerlaunch", "-E", "root_owner=0:0"]);
    tools::run(command.arg("-d").arg(stage).arg(path))
}

pub fn erofs(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    staged(tree, stage)?;
    let mut command = of_root("mkfs.erofs");
    command.args(["--quiet", "--all-root", "-zlz4"]);
    tools::run(command.arg(path).arg(stage))
}

pub fn squashfs(tree: &Tree, path: &Path, stage: &Path) -> Result<()> {
    staged(tree, stage)?;
    let mut command = of_root("mksquashfs");
    command.arg(stage).arg(path);
    command.args(["-quiet", "-no-progress", "-all-root", "-comp", "zstd"]);
    tools::run(command.args(["-Xcompression-level", "3"]))
}

/// Writes the tree below the folder, and returns the bytes of all files.
fn staged(tree: &Tree, stage: &Path) -> Result<u64> {
    fs::create_dir(stage)?;
    let mut bytes = 0;
    for (at, entry) in tree.iter() {
        let to = stage.join(at);
        let put = match &entry.content {
            Content::Directory => fs::create_dir(&to),
            Content::File(from) => fs::copy(from, &to).map(drop),
            Content::Start(..) | Content::Joined(_) => {
                io::copy(&mut entry.content.reader()?, &mut File::create(&to)?).map(drop)
            }
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
