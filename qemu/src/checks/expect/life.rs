//! What a guest logs, and how it ends.

use anyhow::{Context, Result, bail, ensure};

use crate::{
    checks::seen::{Seen, same, texts},
    machine::SPEAKER,
};

/// How a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    PowerOff,
    Reboot,
    /// It stands still, and the harness ends QEMU.
    Halt,
    /// The kernel panics and then resets the machine.
    Panic,
}

/// Its name, QEMU's reason, and the last line of the kernel.
const ENDS: &[(End, &str, &str, &str)] = &[
    (
        End::PowerOff,
        "power-off",
        "guest-shutdown",
        "reboot: Power down",
    ),
    (
        End::Reboot,
        "reboot",
        "guest-reset",
        "reboot: Restarting system",
    ),
    (End::Halt, "halt", "host-qmp-quit", "reboot: System halted"),
    (
        End::Panic,
        "panic",
        "guest-reset",
        "Kernel panic - not syncing: Attempted to kill init!",
    ),
];

impl End {
    fn row(self) -> &'static (Self, &'static str, &'static str, &'static str) {
        let row = ENDS.iter().find(|row| row.0 == self);
        row.expect("the table has every end")
    }

    pub(super) fn name(self) -> &'static str {
        self.row().1
    }
}

pub(super) fn ends(seen: &Seen, end: End) -> Result<()> {
    let (_, _, reason, word) = end.row();
    let given = seen
        .reason
        .as_deref()
        .context("QEMU gave no reason for its end")?;
    same("the end", given, *reason)?;
    says(seen, &[word])
}

pub(super) fn says(seen: &Seen, words: &[&str]) -> Result<()> {
    if seen
        .console
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word)))
    {
        return Ok(());
    }
    bail!("no line of the console has {words:?}; {}", seen.said())
}

pub(super) fn says_only(seen: &Seen, expected: &[&[&str]]) -> Result<()> {
    speaks(seen)?;
    let found = seen.lines(SPEAKER);
    let fits = |(line, words): (&&str, &&[&str])| words.iter().all(|word| line.contains(word));
    if found.len() != expected.len() || !found.iter().zip(expected).all(fits) {
        bail!(
            "expected {} lines with {expected:?}; {}",
            expected.len(),
            seen.said()
        );
    }
    Ok(())
}

/// Each group of texts is on a line after the line of the previous group.
pub(super) fn says_in_order(seen: &Seen, expected: &[&[&str]]) -> Result<()> {
    let mut lines = seen.console.iter();
    for words in expected {
        let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
        if !found {
            bail!(
                "no line of the console has {words:?} after the lines that must come before it; {}",
                seen.said()
            );
        }
    }
    Ok(())
}

/// A guest that did not boot has written nothing, so a missing line proves nothing.
fn speaks(seen: &Seen) -> Result<()> {
    ensure!(!seen.console.is_empty(), "the console is empty");
    Ok(())
}

pub(super) fn says_times(seen: &Seen, times: usize, words: &[&str]) -> Result<()> {
    speaks(seen)?;
    let lines = seen.lines(SPEAKER).into_iter();
    let found = lines
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .count();
    if found != times {
        bail!(
            "{found} lines have {words:?}, expected {times}; {}",
            seen.said()
        );
    }
    Ok(())
}

pub(super) fn told(seen: &Seen, expected: &[&str]) -> Result<()> {
    speaks(seen)?;
    same("the probe's lines", texts(&seen.told), expected.to_vec())
}

pub(super) fn told_together(seen: &Seen, expected: &[&str]) -> Result<()> {
    let mut found: Vec<&str> = seen.told.iter().map(String::as_str).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    same("the probe's lines", found, expected)
}
