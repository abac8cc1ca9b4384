//! A raw disk image as a machine has it: on which bus, and whether what the guest writes stays.

use std::path::PathBuf;

use anyhow::Result;

use super::files::place;
use crate::host::tools;

/// The name of the drive that holds the root.
pub const ROOT: &str = "root";

/// A raw disk image.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Its name in the harness.
    pub name: &'static str,
    pub path: PathBuf,
    /// Whether what the guest writes stays in the file; otherwise it is gone with the guest.
    pub keep: bool,
    pub bus: Bus,
    /// It is absent until it is plugged in (`Guest::plug`).
    pub late: bool,
    /// It is write-protected.
    pub protected: bool,
    /// The file as it was before any guest wrote to it.
    pub original: Option<PathBuf>,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// Debian's cloud kernels have its driver built in.
    Nvme,
    /// In Debian's cloud kernels its driver is a module.
    Virtio,
}

impl Drive {
    /// The root's: what a guest writes is forgotten.
    pub fn root(path: PathBuf) -> Self {
        Self {
            name: ROOT,
            path,
            keep: false,
            bus: Bus::Nvme,
            late: false,
            protected: false,
            original: None,
        }
    }

    /// The root's on a copy of the image that the guest may write to.
    pub fn kept_root(image: PathBuf, guest: &str) -> Result<Self> {
        Ok(Self {
            keep: true,
            original: Some(image.clone()),
            ..Self::root(place(&format!("{guest}.{ROOT}"))?)
        })
    }
}

/// Makes each disk what it was before any guest wrote to it.
pub fn renew(drives: &[Drive]) -> Result<()> {
    for drive in drives {
        if let Some(original) = &drive.original {
            tools::copy(original, &drive.path)?;
        }
    }
    Ok(())
}
