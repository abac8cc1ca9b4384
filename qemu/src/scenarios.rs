//! What is booted, and what must come of it: one table row a guest. Small scenarios have the probe in place of dockerd and
//! take a few seconds; large ones run the real engine.

mod large;
mod small;
mod without;

use crate::{
    checks::{engine::Row, expect::Expect, prerequisites},
    image::table::Group,
    suites::Suite,
};

/// One guest, and what is checked of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What would go unnoticed without it.
    pub(crate) why: &'static str,
    pub(crate) suite: Suite,
    pub(crate) root: Root,
    /// Words of the kernel's line before `--`.
    pub(crate) append: &'static [&'static str],
    /// The words after `--`.
    pub(crate) words: &'static [&'static str],
    pub(crate) size: Size,
    pub(crate) when: When,
}

/// What the kernel starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The kernel mounts a disk and starts PID 1 on it.
    Disk,
    /// PID 1 is started on the initramfs.
    Initramfs,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    Small(Small),
    Large(Large),
}

/// The guest ends by itself: the probe reports and powers off, or PID 1 ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Small {
    /// The groups of files in the image; without an engine the probe is added as /usr/sbin/dockerd.
    pub(crate) groups: &'static [Group],
    /// What the image has beside them.
    pub(crate) image: &'static [Change],
    pub(crate) ends: Ends,
    pub(crate) expect: &'static [&'static [Expect]],
}

/// How a small scenario must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The probe was started; it has reported and powered off, or ended as it was told.
    Reported,
    /// The boot failed as it should: the kernel says with which status PID 1 ended.
    Refused,
}

/// The real engine answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Large {
    /// What Docker takes the control groups for: `1` or `2`.
    pub(crate) cgroup: &'static str,
    pub(crate) checks: &'static [&'static [Row]],
    /// Also whether each prerequisite is one.
    pub(crate) prerequisites: bool,
    /// What the image has beside all groups.
    pub(crate) image: &'static [Change],
}

/// Something that an image has more than its groups. Paths begin without `/`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// A file, its mode and content.
    File(&'static str, u32, &'static str),
    Link(&'static str, &'static str),
    Directory(&'static str, u32),
    /// A file of the packages that serve the engine something, or of the suite's.
    Packaged(&'static str),
    /// The probe once more, by another name and mode.
    Probe(&'static str, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Default,
    /// With --long only.
    Long,
}

impl Scenario {
    /// The checks by name, in their order.
    pub(crate) fn checks(&self) -> Vec<String> {
        match self.size {
            Size::Small(small) => small
                .expect
                .iter()
                .copied()
                .flatten()
                .map(Expect::name)
                .collect(),
            Size::Large(large) => {
                let rows = large.checks.iter().copied().flatten();
                let rows = rows.map(|row| row.0.to_owned());
                let more = large.prerequisites.then(prerequisites::names);
                rows.chain(more.into_iter().flatten()).collect()
            }
        }
    }

    pub(crate) fn is_small(&self) -> bool {
        matches!(self.size, Size::Small(_))
    }
}

/// All of them: small ones first, because they tell most for their time.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    small::TABLE
        .iter()
        .copied()
        .flatten()
        .chain(without::TABLE)
        .chain(large::TABLE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::checks::seen::Seen;

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
                    "{}/{check} stands twice",
                    scenario.name
                );
            }
        }
    }

    /// No expectation is met by a guest that reported nothing.
    #[test]
    fn nothing_passes_by_itself() {
        let report = Some(probe::Report::default());
        let seen = Seen {
            report,
            console: Vec::new(),
        };
        for scenario in all() {
            let Size::Small(small) = scenario.size else {
                continue;
            };
            for expect in small.expect.iter().copied().flatten() {
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
                all().any(|one| !one.is_small() && one.suite == suite && one.when == When::Default),
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
