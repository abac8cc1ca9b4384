//! Writes a tree in any of the formats.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Result;

use super::{
    archives, file_systems,
    format::Format,
    oci::{self, Layer},
    tree::Tree,
};

/// The container image's name after `docker load`.
const NAME: &str = "dockerlaunch:latest";

/// zstd's level: half a second more than the fastest, a tenth smaller.
const COMPRESSION: i32 = 3;

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
        Format::Initramfs => {
            let mut writer = zstd::Encoder::new(BufWriter::new(File::create(path)?), COMPRESSION)?;
            writer.multithread(2)?;
            archives::initramfs(tree, &mut writer)?;
            writer.finish()?.flush()?;
        }
        Format::Tar => {
            let mut writer = BufWriter::new(File::create(path)?);
            archives::tar(tree.iter(), &mut writer)?;
            writer.flush()?;
        }
        Format::Oci => return oci::write(tree, NAME, path, aside).map(Some),
    }
    Ok(None)
}
