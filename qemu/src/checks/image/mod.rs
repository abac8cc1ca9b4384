//! What an image holds, read back from its archive: the full set and the smallest, of every suite. No guest is needed. skopeo, which
//! verifies every digest, reads the container image.

mod archive;
mod bill;
mod container;
mod inventory;
mod programs;
mod world;

use anyhow::Result;

use super::when::When;
use crate::packages::suites::Suite;

pub(crate) use world::World;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) question: fn(&World) -> Result<()>,
    /// One suite, if the answer is the same for all.
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
