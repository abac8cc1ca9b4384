//! Writes a tree in any of the formats.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    archives, file_systems,
    format::Format,
    oci::{self, Layer},
    tree::Tree,
};

/// The container image's name after `docker load`.
const NAME: &str = "dockerlaunch:latest";

/// zstd's level: half a second more than the fastest, a tenth smaller.
const COMPRESSION: &str = "-3";

/// Writes the tree to `path`; `aside` is a folder on the same file system for temporary files.
pub fn write(
    tree: &Tree,
    format: Format,
    path: &Path,
    aside: &Path,
) -> Result<Option<(String, Vec<Layer>)>> {
    match format {
        Format::Disk => file_systems::ext4(tree, path, &aside.join("stage"))?,
        Format::Erofs => file_systems::erofs(tree, path, &aside.join("stage"))?,
        Format::Squashfs => file_systems::squashfs(tree, path, &aside.join("stage"))?,
        Format::Initramfs => compressed(tree, path)?,
        Format::Tar => {
            let mut writer = BufWriter::new(File::create(path)?);
            archives::tar(tree.iter(), &mut writer)?;
            writer.flush()?;
        }
        Format::Oci => return oci::write(tree, NAME, path, aside).map(Some),
    }
    Ok(None)
}

/// The initramfs, through zstd(1): compiling zstd from its C takes longer than all the rest of the harness.
fn compressed(tree: &Tree, path: &Path) -> Result<()> {
    let mut zstd = Command::new("zstd")
        .args(["-q", "-T2", COMPRESSION])
        .stdin(Stdio::piped())
        .stdout(File::create(path)?)
        .spawn()
        .context("start zstd")?;
    let mut writer = BufWriter::new(zstd.stdin.take().expect("it is piped"));
    let written = archives::initramfs(tree, &mut writer).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    let status = zstd.wait()?;
    ensure!(status.success(), "zstd: {status}");
    written
}
