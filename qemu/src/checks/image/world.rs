//! A suite's images, written for the checks and removed after them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tempfile::TempDir;

use super::archive::Archive;
use crate::{
    host::paths,
    image::{Format, Group, Image},
    packages::{Unpacked, suites::Suite},
};

/// A suite's images.
pub(crate) struct World {
    pub(super) suite: Suite,
    pub(super) mirror: String,
    pub(super) packages: Unpacked,
    pub(super) program: PathBuf,
    pub(super) folder: TempDir,
    pub(super) full: Archive,
    pub(super) smallest: Archive,
}

impl World {
    pub(crate) fn new(suite: Suite, program: &Path, mirror: &str) -> Result<Self> {
        let packages = suite.unpacked(mirror)?;
        let base = paths::target()?.join("qemu");
        fs::create_dir_all(&base)?;
        let folder = tempfile::Builder::new()
            .prefix(".images-")
            .tempdir_in(base)?;
        let made = |name: &str, groups: &[Group]| {
            let file = folder.path().join(name);
            image(&packages, program, groups, Format::Tar).made(&file)?;
            Archive::read(file)
        };
        let smallest = [Group::SMALLEST, &[Group::Links]].concat();
        Ok(Self {
            suite,
            mirror: mirror.to_owned(),
            full: made("full.tar", &full())?,
            smallest: made("smallest.tar", &smallest)?,
            packages,
            program: program.to_owned(),
            folder,
        })
    }

    /// The full set and the smallest.
    pub(super) fn archives(&self) -> [&Archive; 2] {
        [&self.full, &self.smallest]
    }
}

/// The groups of a container image from which nothing is left out.
pub(super) fn full() -> Vec<Group> {
    Format::Oci.groups(false).collect()
}

pub(super) fn image<'a>(
    packages: &'a Unpacked,
    program: &'a Path,
    groups: &'a [Group],
    format: Format,
) -> Image<'a> {
    Image {
        name: "test".into(),
        packages,
        more: None,
        program,
        groups,
        unsigned_modules: false,
        extra: Vec::new(),
        format,
    }
}
