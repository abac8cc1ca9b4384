//! What is on a disk that a guest has written to: above all, whether a clean shutdown left it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::host::tools::{self, of_root};

/// Where the first superblock of a btrfs lies.
const BTRFS: u64 = 65536;

/// An error unless the file system was unmounted, or made read-only, before the machine ended: its superblock or its log must
/// say so, no journal may have to be replayed, and its own check must find nothing.
pub fn clean(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    let is = |place, magic: &[u8]| {
        let mut found = vec![0; magic.len()];
        file.read_exact_at(&mut found, place).is_ok() && found == magic
    };
    if is(0, b"XFSB") {
        let log = tools::output(of_root("xfs_logprint").arg("-t").arg(path))?;
        ensure!(log.contains("<CLEAN>"), "the log is to be replayed: {log}");
        return tools::run(of_root("xfs_repair").arg("-n").arg(path));
    }
    if is(BTRFS + 64, b"_BHRfS_M") {
        // struct btrfs_super_block: the root of the log tree, which an fsync leaves until the next commit.
        ensure!(is(BTRFS + 96, &[0; 8]), "the log tree is to be replayed");
        return tools::run(of_root("btrfs").args(["check", "--readonly"]).arg(path));
    }
    let state = field(path, "Filesystem state:")?;
    ensure!(state == "clean", "the file system's state is `{state}`");
    let features = field(path, "Filesystem features:")?;
    ensure!(
        features.contains("has_journal"),
        "there is no journal: {features}"
    );
    ensure!(
        !features.contains("needs_recovery"),
        "the journal is to be replayed: {features}"
    );
    tools::run(of_root("e2fsck").arg("-fn").arg(path))
}

/// The UUID of an ext4: every new image has another one.
pub fn uuid(path: &Path) -> Result<String> {
    field(path, "Filesystem UUID:")
}

pub fn free_blocks(path: &Path) -> Result<u64> {
    Ok(field(path, "Free blocks:")?.parse()?)
}

/// A field of an ext4's superblock, by its heading in dumpe2fs.
fn field(path: &Path, heading: &str) -> Result<String> {
    let head = tools::output(of_root("dumpe2fs").arg("-h").arg(path))?;
    let value = head.lines().find_map(|line| line.strip_prefix(heading));
    let value = value.with_context(|| format!("dumpe2fs prints no `{heading}`"))?;
    Ok(value.trim().to_owned())
}

/// An error unless the ext4 has all these files, none of them empty. Its journal must have been replayed.
pub fn holds(disk: &Path, paths: &[&str]) -> Result<()> {
    clean(disk)?;
    for path in paths {
        let request = format!("cat {path}");
        let content = tools::output(of_root("debugfs").args(["-R", &request]).arg(disk))?;
        ensure!(
            !content.is_empty(),
            "{path} is missing or empty on the disk"
        );
    }
    Ok(())
}

/// The same for a disk whose power was cut: on a copy, its journal is replayed first, as the next boot would do.
pub fn replayed_holds(disk: &Path, paths: &[&str]) -> Result<()> {
    let copy = disk.with_added_extension("replayed");
    tools::copy(disk, &copy)?;
    let checked = of_root("e2fsck").arg("-fy").arg(&copy).output()?;
    // 1: e2fsck has replayed or repaired something.
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

/// An error unless both files have the same content.
pub fn same(original: &Path, path: &Path) -> Result<()> {
    tools::run(Command::new("cmp").arg(original).arg(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// struct ext4_super_block, behind the first 1024 bytes: s_state, and needs_recovery in s_feature_incompat.
    const STATE: u64 = 1024 + 0x3a;
    const INCOMPAT: u64 = 1024 + 0x60;

    #[test]
    fn an_empty_file_and_a_missing_one_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let (tree, disk) = (directory.path().join("tree"), directory.path().join("disk"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("full"), "x").unwrap();
        fs::write(tree.join("empty"), "").unwrap();
        File::create(&disk).unwrap().set_len(8 << 20).unwrap();
        let mut mkfs = of_root("mkfs.ext4");
        tools::run(mkfs.args(["-q", "-F", "-d"]).arg(&tree).arg(&disk)).unwrap();
        replayed_holds(&disk, &["/full"]).unwrap();
        for wrong in ["/empty", "/missing"] {
            let error = replayed_holds(&disk, &["/full", wrong]).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_disk_that_was_not_unmounted_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        let file = File::create_new(&path).unwrap();
        file.set_len(8 << 20).unwrap();
        // Without a checksum of the superblock, a byte of it can be changed.
        let mut mkfs = of_root("mkfs.ext4");
        mkfs.args(["-q", "-F", "-O", "^metadata_csum"]).arg(&path);
        tools::run(&mut mkfs).unwrap();
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
