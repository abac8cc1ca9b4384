//! A scenario: which guest is booted, and which checks it must pass.

use super::{
    engines::{Large, Life},
    probed::{Boot, Small},
};
use crate::{
    checks::{When, prerequisites},
    disks::Table,
    host::needs::Need,
    image::Format,
    packages::suites::Suite,
};

/// One guest, and what is checked of it: a row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What would go unnoticed without it.
    pub(crate) why: &'static str,
    pub(crate) suite: Suite,
    pub(crate) root: Root,
    /// Words of the kernel command line before `--`.
    pub(crate) append: &'static [&'static str],
    /// Its words after `--`: dockerlaunch's arguments.
    pub(crate) words: &'static [&'static str],
    /// The program's Cargo features, instead of those of --features.
    pub(crate) features: Option<&'static [&'static str]>,
    pub(crate) size: Size,
    pub(crate) when: When,
}

/// What the kernel starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The kernel mounts a disk and starts PID 1 on it.
    Disk,
    /// The same, mounted read-only.
    ReadOnly,
    /// The same as [`Root::Disk`], without a free block.
    Full,
    /// PID 1 is started on an initramfs and switches to an image of this format, in a partition of this table, on the first disk
    /// whose driver is a module. The scenario's words have `root=`, in which `{root}` is replaced by ext4's UUID.
    Switch(Format, Table),
    /// PID 1 is started on the initramfs.
    Initramfs,
}

impl Root {
    /// The format of the image with the daemon.
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
                let lives = large.boots().flat_map(|life: Life| life.names());
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
