//! Which guests are booted, and what is checked of each: a table row each, in small/ and large/. Uses `checks` and everything below
//! it; it does not know how a guest is run.

mod engines;
mod large;
mod probed;
mod scenario;
mod small;
mod without;

pub(crate) use engines::{Inner, Large, Life};
pub(crate) use probed::{Boot, Ends, Small, Step};
pub(crate) use scenario::{Root, Scenario, Size};

/// Every table. A new file of scenarios needs a row here.
const TABLES: &[&[&[Scenario]]] = &[small::TABLES, &[without::TABLE], large::TABLES];

/// All scenarios, the small ones first: they tell most for their time.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    TABLES.iter().copied().flatten().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        checks::{When, seen::Seen},
        packages::suites::Suite,
    };

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for scenario in all() {
            assert!(
                !scenario.checks().is_empty(),
                "{} checks nothing",
                scenario.name
            );
            for check in scenario.checks() {
                assert!(
                    names.insert(format!("{}/{check}", scenario.name)),
                    "{}/{check} is there twice",
                    scenario.name
                );
            }
        }
    }

    /// A guest that reported nothing meets no expectation.
    #[test]
    fn nothing_passes_without_a_report() {
        let seen = Seen {
            report: Some(probe::Report::default()),
            ..Seen::default()
        };
        for scenario in all() {
            let expect = match scenario.size {
                Size::Small(small) => [small.expect, small.again],
                Size::Large(large) => [large.end, large.lives.last().map_or(&[], |life| life.end)],
            };
            for expect in expect.concat().into_iter().flatten() {
                assert!(
                    expect.check(&seen).is_err(),
                    "{}/{}",
                    scenario.name,
                    expect.name()
                );
            }
        }
    }

    #[test]
    fn every_suite_and_root_is_booted_by_default() {
        for suite in Suite::ALL {
            assert!(
                all()
                    .any(|one| !one.is_small() && one.suite == *suite && one.when == When::Default),
                "no engine of {suite:?}"
            );
        }
        for root in [Root::Disk, Root::Initramfs] {
            assert!(
                all().any(|one| !one.is_small() && one.root == root && one.when == When::Default),
                "no engine on {root:?}"
            );
        }
    }
}
