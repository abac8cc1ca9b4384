//! What an image holds, read back from the archives that were written: the full set and the smallest, of every suite. No guest
//! is needed. The container image is given to skopeo, which believes no digest.

mod archive;
mod bill;
mod container;
mod inventory;
mod programs;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    image::{Format, Image, table::Group},
    packages::Unpacked,
    paths,
    scenarios::When,
    suites::Suite,
};
use archive::Archive;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) question: fn(&World) -> Result<()>,
    /// What is the same for all suites is asked of one.
    pub(crate) suites: &'static [Suite],
    pub(crate) when: When,
}

const fn row(name: &'static str, question: fn(&World) -> Result<()>) -> Row {
    Row {
        name,
        question,
        suites: Suite::ALL,
        when: When::Default,
    }
}

const fn once(row: Row) -> Row {
    Row {
        suites: &[Suite::Trixie],
        ..row
    }
}

const fn long(row: Row) -> Row {
    Row {
        when: When::Long,
        ..row
    }
}

pub(crate) const TABLE: &[Row] = &[
    row("owners-and-modes", inventory::owners_and_modes),
    row("places", inventory::places),
    row("links", inventory::links),
    row("libraries", inventory::libraries),
    row("bill-of-materials", bill::is_whole),
    row("prerequisites", programs::are_found),
    row("legacy-iptables", programs::legacy_iptables),
    once(row("configuration", container::configuration)),
    once(row("digests", container::digests)),
    once(row("reproducible", container::reproducible)),
    long(row("smallest-xz", container::smallest_xz)),
];

/// A suite's images.
pub(crate) struct World {
    suite: Suite,
    mirror: String,
    packages: Unpacked,
    program: PathBuf,
    folder: TempDir,
    full: Archive,
    smallest: Archive,
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

    fn archives(&self) -> [&Archive; 2] {
        [&self.full, &self.smallest]
    }
}

/// What a container image holds if nothing is left out.
fn full() -> Vec<Group> {
    Format::Oci.groups(false).collect()
}

fn image<'a>(
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
        extra: Vec::new(),
        format,
    }
}
