//! The disk that a guest writes to, and whether it left it as a clean shutdown does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use super::{Drive, Machine, Root, Written};
use crate::{host, paths, run};

/// The machine with a copy of its root disk, where it asks for one, and then that copy's path.
pub(super) fn copied(machine: &Machine) -> Result<(Machine, Option<PathBuf>)> {
    let mut machine = machine.clone();
    let Root::Disk(drive) = &mut machine.root else {
        return Ok((machine, None));
    };
    if drive.written != Written::KeptInCopy {
        return Ok((machine, None));
    }
    *drive = Drive {
        path: copy(&drive.path, &machine.name)?,
        written: Written::Kept,
    };
    let path = drive.path.clone();
    Ok((machine, Some(path)))
}

/// Holes are kept. An earlier one of the same name is replaced.
fn copy(image: &Path, name: &str) -> Result<PathBuf> {
    let directory = paths::target()?.join("qemu/disks");
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{name}.ext4"));
    let mut command = Command::new("cp");
    command.args(["--sparse=auto", "--reflink=auto"]);
    run::output(command.arg(image).arg(&path))?;
    Ok(path)
}

/// An error unless the file system was unmounted, or made read-only, before the machine ended: the superblock says so, there
/// is nothing to replay, and e2fsck finds nothing.
pub fn clean(path: &Path) -> Result<()> {
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

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", host::search_path());
    command
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt};

    use super::*;

    /// struct ext4_super_block, behind the first 1024 bytes: s_state, and needs_recovery in s_feature_incompat.
    const STATE: u64 = 1024 + 0x3a;
    const INCOMPAT: u64 = 1024 + 0x60;

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
