//! What a scenario's image has beside its groups, as data.

use std::path::Path;

use anyhow::{Context, Result};

use super::{
    groups::Group,
    tree::{Content, Entry},
};
use crate::packages::Unpacked;

/// Something that an image has beside its groups. Paths begin without `/`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// A file, its mode and content.
    File(&'static str, u32, &'static str),
    Link(&'static str, &'static str),
    Directory(&'static str, u32),
    /// A file of the suite's packages, or of those for this scenario.
    Packaged(&'static str),
    /// The probe, with this mode.
    Probe(&'static str, u32),
}

/// The entries of the image. `packages`: where packaged files are.
pub(crate) fn changes<'c>(
    changes: impl IntoIterator<Item = &'c Change>,
    probe: &Path,
    packages: &[&Unpacked],
) -> Result<Vec<(String, Entry)>> {
    let entry = |change: &Change| {
        Ok(match *change {
            Change::File(path, mode, content) => (path, Entry::bytes(Group::Extra, mode, content)),
            Change::Link(path, target) => (path, Entry::link(Group::Extra, target)),
            Change::Directory(path, mode) => (path, Entry::directory(Group::Extra, mode)),
            Change::Probe(path, mode) => (path, program(probe, mode)),
            Change::Packaged(path) => (path, packaged(path, packages)?),
        })
    };
    let owned = |(path, entry): (&str, Entry)| (path.to_owned(), entry);
    changes
        .into_iter()
        .map(|change| entry(change).map(owned))
        .collect()
}

fn program(probe: &Path, mode: u32) -> Entry {
    Entry {
        group: Group::Extra,
        mode,
        content: Content::File(probe.to_owned()),
    }
}

fn packaged(path: &str, packages: &[&Unpacked]) -> Result<Entry> {
    let place = packages
        .iter()
        .map(|packages| packages.root.join(path))
        .find(|place| place.exists())
        .with_context(|| format!("no package brings {path}"))?;
    Entry::file(Group::Extra, place)
}
