//! A large scenario: a guest with a real engine.

use crate::{
    checks::{engine::Row, expect::Expect},
    disks::Disk,
    image::{Change, Group},
    packages::suites::Suite,
};

/// A real engine answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Large {
    /// The version of cgroups that Docker uses: `1` or `2`.
    pub(crate) cgroup: &'static str,
    pub(crate) groups: &'static [Group],
    /// What the image has beside its groups.
    pub(crate) image: &'static [Change],
    /// Words of the kernel command line that give the guest its address.
    pub(crate) address: &'static [&'static str],
    /// The disks beside the root.
    pub(crate) disks: &'static [Disk],
    pub(crate) checks: &'static [&'static [Row]],
    /// What is expected after the power button was pressed; if empty, the power is cut.
    pub(crate) end: &'static [&'static [Expect]],
    /// The checks of the prerequisites run as well; such a guest has servers.
    pub(crate) prerequisites: bool,
    /// The guest has more packages with Docker's clients, and this machine has the library for Python.
    pub(crate) clients: bool,
    /// Engines in containers of this engine, one after the other.
    pub(crate) inner: &'static [Inner],
    /// How often its checks kill the engine.
    pub(crate) kills: usize,
    /// Settings of the first boot only.
    pub(crate) first: &'static [&'static str],
    /// Later boots of the same disks.
    pub(crate) lives: &'static [Life],
}

/// An engine in a container. Its image is on a disk of the guest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inner {
    /// The prefix of its checks' names.
    pub(crate) name: &'static str,
    pub(crate) suite: Suite,
    /// The smallest image, instead of all groups without git and ssh.
    pub(crate) smallest: bool,
    /// The checks that the others need first.
    pub(crate) first: &'static [Row],
    pub(crate) checks: &'static [&'static [Row]],
}

impl Inner {
    pub(crate) fn rows(self) -> impl Iterator<Item = (String, Row)> {
        let rows = self.checks.iter().copied().flatten();
        let rows = self.first.iter().chain(rows);
        rows.map(move |row| (format!("{}:{}", self.name, row.0), *row))
    }

    /// The chosen checks, after those that they need first.
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

/// A boot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// The prefix of its checks' names.
    pub(crate) name: &'static str,
    /// Settings of this boot only.
    pub(crate) append: &'static [&'static str],
    pub(crate) checks: &'static [&'static [Row]],
    pub(crate) end: &'static [&'static [Expect]],
}

impl Life {
    pub(super) fn names(&self) -> Vec<String> {
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
            append: self.first,
            checks: self.checks,
            end: self.end,
        };
        [first].into_iter().chain(self.lives.iter().copied())
    }
}
