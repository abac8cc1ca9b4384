//! What is booted, and what must come of it: one table row a guest. Small scenarios have the probe in place of dockerd and
//! take a few seconds; large ones run the real engine.

mod clients;
mod large;
mod small;
mod without;

use crate::{
    checks::{engine::Row, expect::Expect, prerequisites},
    disks::{Disk, Table},
    host::Need,
    image::{Format, table::Group},
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
    /// The program's Cargo features; otherwise those that the command line asks for.
    pub(crate) features: Option<&'static [&'static str]>,
    pub(crate) size: Size,
    pub(crate) when: When,
}

/// What the kernel starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The kernel mounts a disk and starts PID 1 on it.
    Disk,
    /// The same, and nothing may be written to it.
    ReadOnly,
    /// The same as [`Root::Disk`], without a free block.
    Full,
    /// PID 1 is started on an initramfs and goes on to an image of this format, in a partition of such a table, on the first of
    /// the disks whose driver is a module. The scenario has `root=` among its words, where `{root}` stands for ext4's UUID.
    Switch(Format, Table),
    /// PID 1 is started on the initramfs.
    Initramfs,
}

impl Root {
    /// Of the image that the daemon is in.
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Disk | Self::ReadOnly | Self::Full => Format::Disk,
            Self::Initramfs => Format::Initramfs,
            Self::Switch(format, _) => format,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    Small(Small),
    Large(Large),
}

/// The probe does as it is told, and reports; or PID 1 ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Small {
    /// The groups of files in the image; without an engine the probe is added as /usr/sbin/dockerd.
    pub(crate) groups: &'static [Group],
    /// What the image has beside them.
    pub(crate) image: &'static [Change],
    /// What is done from outside, until the guest ends.
    pub(crate) steps: &'static [Step],
    pub(crate) ends: Ends,
    pub(crate) expect: &'static [&'static [Expect]],
    /// The disks beside the root.
    pub(crate) disks: &'static [Disk],
    /// What is expected of a second boot of the same disks; of nothing there is none.
    pub(crate) again: &'static [&'static [Expect]],
    /// The power of a new machine is cut so many milliseconds after the start of PID 1, and each time `expect` is what comes
    /// of a boot on the same disks. Of none there is one boot of a new machine.
    pub(crate) cuts: &'static [u32],
    /// What the hardware clock begins with.
    pub(crate) clock: Option<&'static str>,
    /// The root's disk is write-protected.
    pub(crate) protected: bool,
}

/// A boot of a small scenario, of which something is expected.
#[derive(Debug, Clone)]
pub(crate) struct Boot {
    /// How its checks begin.
    pub(crate) name: String,
    pub(crate) expect: &'static [&'static [Expect]],
    /// The disks are new.
    pub(crate) fresh: bool,
    /// Before it the power of a new machine is cut, so many milliseconds after the start of PID 1.
    pub(crate) cut: Option<u32>,
}

impl Small {
    pub(crate) fn boots(&self) -> Vec<Boot> {
        let boot = |name: String, expect, fresh, cut| Boot {
            name,
            expect,
            fresh,
            cut,
        };
        let first = match self.cuts {
            [] => vec![boot(String::new(), self.expect, true, None)],
            cuts => cuts
                .iter()
                .map(|after| boot(format!("{after}ms:"), self.expect, false, Some(*after)))
                .collect(),
        };
        let again =
            (!self.again.is_empty()).then(|| boot(AGAIN.to_owned(), self.again, false, None));
        first.into_iter().chain(again).collect()
    }
}

/// Something that is done to a running guest, or waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Until a line of the console has all these words.
    Console(&'static [&'static str]),
    /// Until the probe says this.
    Told(&'static str),
    /// Keys of the PC's keyboard, pressed at once, by QEMU's names.
    Keys(&'static [&'static str]),
    PowerButton,
    /// A disk that was to come late is plugged in.
    Plug(&'static str),
    /// Typed on the console.
    Type(&'static str),
    /// The power is cut.
    Cut,
}

/// How a small scenario must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The probe was started; it has reported and powered off, or ended as it was told.
    Reported,
    /// The boot failed as it should, and the daemon was not started: the kernel says with which status PID 1 ended.
    Refused,
    /// By what the expectations say; what it writes to its disk is kept.
    Lived,
}

/// The real engine answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Large {
    /// What Docker takes the control groups for: `1` or `2`.
    pub(crate) cgroup: &'static str,
    pub(crate) groups: &'static [Group],
    /// What the image has beside them.
    pub(crate) image: &'static [Change],
    /// The words that give the guest its address.
    pub(crate) address: &'static [&'static str],
    /// The disks beside the root.
    pub(crate) disks: &'static [Disk],
    pub(crate) checks: &'static [&'static [Row]],
    /// What is expected after the power button was pressed; of nothing the power is cut.
    pub(crate) end: &'static [&'static [Expect]],
    /// Also whether each prerequisite is one: such a guest has servers, too.
    pub(crate) prerequisites: bool,
    /// Docker's clients are packages beside the image's, and Python's on this machine.
    pub(crate) clients: bool,
    /// Engines in a container of this one, one after the other.
    pub(crate) inner: &'static [Inner],
    /// How often its checks kill the engine.
    pub(crate) kills: usize,
    /// What comes of the same disks in later boots.
    pub(crate) lives: &'static [Life],
}

/// An engine in a container: its image comes on a disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inner {
    /// What is asked of it begins so.
    pub(crate) name: &'static str,
    pub(crate) suite: Suite,
    /// The smallest image, instead of all but what builds from git URLs.
    pub(crate) smallest: bool,
    /// The checks that the others build on.
    pub(crate) first: &'static [Row],
    pub(crate) checks: &'static [&'static [Row]],
}

impl Inner {
    pub(crate) fn rows(self) -> impl Iterator<Item = (String, Row)> {
        let rows = self.checks.iter().copied().flatten();
        let rows = self.first.iter().chain(rows);
        rows.map(move |row| (format!("{}:{}", self.name, row.0), *row))
    }

    /// The chosen ones, and before them what they build on.
    pub(crate) fn asked(self, is_chosen: impl Fn(&str) -> bool) -> Vec<(String, Row)> {
        let mut rows: Vec<_> = self.rows().collect();
        let last = rows.iter().rposition(|(name, _)| is_chosen(name));
        rows.truncate(last.map_or(0, |last| last + 1));
        let mut rest = rows.split_off(rows.len().min(self.first.len()));
        rest.retain(|(name, _)| is_chosen(name));
        rows.append(&mut rest);
        rows
    }
}

/// A later boot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// How its checks begin.
    pub(crate) name: &'static str,
    pub(crate) checks: &'static [&'static [Row]],
    pub(crate) end: &'static [&'static [Expect]],
}

impl Life {
    fn names(&self) -> Vec<String> {
        let rows = self.checks.iter().copied().flatten();
        let end = self.end.iter().copied().flatten();
        rows.map(|row| row.0.to_owned())
            .chain(end.map(Expect::name))
            .map(|name| self.name.to_owned() + &name)
            .collect()
    }
}

impl Large {
    /// The first boot and the later ones.
    pub(crate) fn boots(&self) -> impl Iterator<Item = Life> {
        let first = Life {
            name: "",
            checks: self.checks,
            end: self.end,
        };
        [first].into_iter().chain(self.lives.iter().copied())
    }
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
            Size::Small(small) => {
                let names = |boot: Boot| {
                    let expect = boot.expect.iter().copied().flatten();
                    expect.map(move |expect| boot.name.clone() + &expect.name())
                };
                small.boots().into_iter().flat_map(names).collect()
            }
            Size::Large(large) => {
                let more = large.prerequisites.then(prerequisites::names);
                let lives = large.boots().flat_map(|life| life.names());
                let inner = large.inner.iter().flat_map(|inner| inner.rows());
                let inner = inner.map(|(name, _)| name);
                more.into_iter()
                    .flatten()
                    .chain(lives)
                    .chain(inner)
                    .collect()
            }
        }
    }

    /// What this machine must have for it.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let disks = match self.size {
            Size::Small(small) => small.disks,
            Size::Large(large) => large.disks,
        };
        let clients = matches!(self.size, Size::Large(Large { clients: true, .. }));
        let python = clients.then_some(Need::Python);
        let nested = matches!(self.size, Size::Large(large) if !large.inner.is_empty());
        let certificates = nested.then_some(Need::Certificates);
        let proven = matches!(self.size, Size::Large(large) if large.prerequisites);
        let proofs = proven.then_some(Need::Proofs);
        let disks = (!disks.is_empty()).then_some(Need::Disks);
        let format = match self.root {
            Root::Full | Root::Switch(Format::Disk, _) => Some(Need::Disks),
            Root::Switch(format, _) => Some(format.need()),
            _ => None,
        };
        let needs = [disks, format, python, certificates, proofs];
        needs.into_iter().flatten().collect()
    }

    pub(crate) fn is_small(&self) -> bool {
        matches!(self.size, Size::Small(_))
    }
}

/// How the checks of a second boot begin.
pub(crate) const AGAIN: &str = "again:";

/// All of them: small ones first, because they tell most for their time.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    let large = large::TABLE
        .iter()
        .chain(large::APPLIANCES)
        .chain(large::NESTED)
        .chain(clients::TABLE);
    let all = small::TABLE.iter().copied().flatten();
    all.chain(without::TABLE).chain(large)
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
