//! What a scenario's image has beside its groups.

use anyhow::{Context, Result};

use super::guests::Bench;
use crate::{
    image::{
        table::Group,
        tree::{Content, Entry},
    },
    packages::Unpacked,
    scenarios::Change,
};

/// The entries of the image; `packages` is where packaged files are looked for.
pub(super) fn changes(
    changes: &[Change],
    bench: &Bench,
    packages: &[&Unpacked],
) -> Result<Vec<(String, Entry)>> {
    let entry = |change: &Change| {
        Ok(match *change {
            Change::File(path, mode, content) => (path, Entry::bytes(Group::Extra, mode, content)),
            Change::Link(path, target) => (path, Entry::link(Group::Extra, target)),
            Change::Directory(path, mode) => (path, Entry::directory(Group::Extra, mode)),
            Change::Probe(path, mode) => (path, probe(bench, mode)),
            Change::Packaged(path) => (path, packaged(path, packages)?),
        })
    };
    let owned = |(path, entry): (&str, Entry)| (path.to_owned(), entry);
    changes
        .iter()
        .map(|change| entry(change).map(owned))
        .collect()
}

pub(super) fn probe(bench: &Bench, mode: u32) -> Entry {
    Entry {
        group: Group::Extra,
        mode,
        content: Content::File(bench.probe.clone()),
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
