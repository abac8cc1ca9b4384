//! What is known of a guest that has ended, and how expectations look it up.

use anyhow::{Context, Result, bail};
use probe::{File, Mount, Report};

use crate::{disks::Drive, machine::SPEAKER};

/// What is known of a guest that has ended.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// `None` if the daemon was not reached, or does not report.
    pub(crate) report: Option<Report>,
    pub(crate) console: Vec<String>,
    /// The probe's lines.
    pub(crate) told: Vec<String>,
    /// QEMU's reason for the end.
    pub(crate) reason: Option<String>,
    /// The disks on which what the guest wrote was kept.
    pub(crate) disks: Vec<Drive>,
    /// The report of the previous boot.
    pub(crate) before: Option<Report>,
}

impl Seen {
    pub(crate) fn report(&self) -> Result<&Report> {
        self.report
            .as_ref()
            .context("the probe was not reached, so this is unknown")
    }

    pub(crate) fn disk(&self, name: &str) -> Result<&Drive> {
        let found = self.disks.iter().find(|drive| drive.name == name);
        found.with_context(|| format!("what this guest wrote to its {name} disk was not kept"))
    }

    /// The mount that is visible at a path: the last one there.
    pub(crate) fn mount(&self, target: &str) -> Result<&Mount> {
        let mounts = &self.report()?.mounts;
        mounts
            .iter()
            .rfind(|mount| mount.target == target)
            .with_context(|| {
                let targets: Vec<&str> = mounts.iter().map(|mount| mount.target.as_str()).collect();
                format!(
                    "nothing is mounted at {target}; there are {}",
                    targets.join(" ")
                )
            })
    }

    pub(crate) fn file(&self, path: &str, kind: &str) -> Result<&File> {
        let file = self
            .report()?
            .files
            .get(path)
            .with_context(|| format!("{path} is missing"))?;
        if file.kind != kind {
            bail!("{path} is a {}, not a {kind}", file.kind);
        }
        Ok(file)
    }

    /// The console's lines that contain a text.
    pub(crate) fn lines(&self, text: &str) -> Vec<&str> {
        self.console
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains(text))
            .collect()
    }

    /// dockerlaunch's lines, for an error's message.
    pub(crate) fn said(&self) -> String {
        match self.lines(SPEAKER).as_slice() {
            [] => "dockerlaunch wrote nothing".into(),
            lines => format!("dockerlaunch wrote:\n{}", lines.join("\n")),
        }
    }
}

/// An error that shows both sides, unless they are equal.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<()> {
    if found != expected {
        bail!("{what} is {found:?}, expected {expected:?}");
    }
    Ok(())
}

pub(crate) fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
