//! The disk that a guest writes to, and whether it left it as a clean shutdown does.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::Machine;
use crate::{host, paths, run};

/// Where the first superblock of a btrfs lies.
const BTRFS: u64 = 65536;

/// Every disk that is written to as it was before any guest has done so. Holes are kept.
pub(super) fn renew(machine: &Machine) -> Result<()> {
    for drive in machine.kept() {
        let Some(original) = drive.original else {
            continue;
        };
        let mut command = Command::new("cp");
        command.args(["--sparse=auto", "--reflink=auto"]);
        run::output(command.arg(original).arg(drive.path))?;
    }
    Ok(())
}

/// Where a guest's copy of an image lies.
pub fn place(name: &str) -> Result<PathBuf> {
    let directory = paths::target()?.join("qemu/disks");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(name))
}

/// An error unless the file system was unmounted, or made read-only, before the machine ended: its superblock or its log says
/// so, there is nothing to replay, and its own check finds nothing.
pub fn clean(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    let is = |place, magic: &[u8]| {
        let mut found = vec![0; magic.len()];
        file.read_exact_at(&mut found, place).is_ok() && found == magic
    };
    if is(0, b"XFSB") {
        let log = run::output(tool("xfs_logprint").arg("-t").arg(path))?;
        ensure!(log.contains("<CLEAN>"), "the log is to be replayed: {log}");
        return run::output(tool("xfs_repair").arg("-n").arg(path)).map(drop);
    }
    if is(BTRFS + 64, b"_BHRfS_M") {
        // struct btrfs_super_block: the root of the log tree, which an fsync leaves until the next commit.
        ensure!(is(BTRFS + 96, &[0; 8]), "the log tree is to be replayed");
        return run::output(tool("btrfs").args(["check", "--readonly"]).arg(path)).map(drop);
    }
    let head = run::output(tool("dumpe2fs").arg("-h").arg(path))?;
    let field = |name: &str| {
        let value = head.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_default().trim()
    };
    let state = field("Filesystem state:");
    ensure!(state == "clean", "the file system's state is `{state}`");
    let features = field("Filesystem features:");
    ensure!(
        features.contains("has_journal"),
        "there is no journal: {features}"
    );
    ensure!(
        !features.contains("needs_recovery"),
        "the journal is to be replayed: {features}"
    );
    run::output(tool("e2fsck").arg("-fn").arg(path)).map(drop)
}

/// The UUID of an ext4, which an image gets anew whenever it is made.
pub fn uuid(path: &Path) -> Result<String> {
    field(path, "Filesystem UUID:")
}

pub fn free_blocks(path: &Path) -> Result<u64> {
    Ok(field(path, "Free blocks:")?.parse()?)
}

/// What the superblock of an ext4 says behind such a heading of dumpe2fs.
fn field(path: &Path, heading: &str) -> Result<String> {
    let head = run::output(tool("dumpe2fs").arg("-h").arg(path))?;
    let value = head.lines().find_map(|line| line.strip_prefix(heading));
    let value = value.with_context(|| format!("dumpe2fs names no `{heading}`"))?;
    Ok(value.trim().to_owned())
}

/// An error unless all these files are on the ext4, and hold something. Its journal has been replayed.
pub fn holds(disk: &Path, paths: &[&str]) -> Result<()> {
    clean(disk)?;
    for path in paths {
        let request = format!("cat {path}");
        let content = run::output(tool("debugfs").args(["-R", &request]).arg(disk))?;
        ensure!(
            !content.is_empty(),
            "{path} is missing or empty on the disk"
        );
    }
    Ok(())
}

/// The same of a disk whose power was cut: its journal is replayed, as the next boot would do it, on a copy.
pub fn replayed_holds(disk: &Path, paths: &[&str]) -> Result<()> {
    let copy = disk.with_added_extension("replayed");
    let mut command = Command::new("cp");
    command.args(["--sparse=auto", "--reflink=auto"]);
    run::output(command.arg(disk).arg(&copy))?;
    let checked = tool("e2fsck").arg("-fy").arg(&copy).output()?;
    // 1: it has replayed or repaired something.
    ensure!(
        matches!(checked.status.code(), Some(0 | 1)),
        "e2fsck: {}: {}",
        checked.status,
        String::from_utf8_lossy(&checked.stdout)
    );
    let held = holds(&copy, paths);
    fs::remove_file(&copy)?;
    held
}

/// An error unless both files hold the same.
pub fn same(original: &Path, path: &Path) -> Result<()> {
    run::output(Command::new("cmp").arg(original).arg(path)).map(drop)
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", host::search_path());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// struct ext4_super_block, behind the first 1024 bytes: s_state, and needs_recovery in s_feature_incompat.
    const STATE: u64 = 1024 + 0x3a;
    const INCOMPAT: u64 = 1024 + 0x60;

    #[test]
    fn an_empty_file_and_a_missing_one_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let (tree, disk) = (directory.path().join("tree"), directory.path().join("disk"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("full"), "x").unwrap();
        fs::write(tree.join("empty"), "").unwrap();
        File::create(&disk).unwrap().set_len(8 << 20).unwrap();
        let mut mkfs = tool("mkfs.ext4");
        run::output(mkfs.args(["-q", "-F", "-d"]).arg(&tree).arg(&disk)).unwrap();
        replayed_holds(&disk, &["/full"]).unwrap();
        for wrong in ["/empty", "/missing"] {
            let error = replayed_holds(&disk, &["/full", wrong]).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_disk_that_was_not_unmounted_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        let file = File::create_new(&path).unwrap();
        file.set_len(8 << 20).unwrap();
        // Without a checksum of the superblock, a byte of it can be changed.
        let mut mkfs = tool("mkfs.ext4");
        mkfs.args(["-q", "-F", "-O", "^metadata_csum"]).arg(&path);
        run::output(&mut mkfs).unwrap();
        clean(&path).unwrap();
        for (place, bit, told) in [(STATE, 1, "state"), (INCOMPAT, 4, "replayed")] {
            let mut byte = [0];
            let file = File::options().read(true).write(true).open(&path).unwrap();
            file.read_exact_at(&mut byte, place).unwrap();
            file.write_all_at(&[byte[0] ^ bit], place).unwrap();
            let error = clean(&path).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            file.write_all_at(&byte, place).unwrap();
        }
    }
}
