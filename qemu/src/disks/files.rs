//! The files of guests' disks, below target/.

use std::{fs, path::PathBuf};

use anyhow::Result;

use crate::host::paths;

/// The file of a guest's disk.
pub(super) fn place(name: &str) -> Result<PathBuf> {
    let directory = paths::target()?.join("qemu/disks");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(name))
}
