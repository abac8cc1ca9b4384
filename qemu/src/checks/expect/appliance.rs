//! An appliance's disks, memory, clock and names.

use anyhow::{Context, Result, bail, ensure};

use crate::{
    checks::seen::{Seen, same},
    disks::inspect,
    machine::SPEAKER,
};

/// dockerlaunch's line about the clock, up to the number of seconds since 1970.
const SET_TO: &str = "the clock is before the build date; it is set to ";
/// The longest life of a guest, in seconds.
const LIFE: i64 = 300;

pub(super) fn unchanged(seen: &Seen, name: &str) -> Result<()> {
    let drive = seen.disk(name)?;
    let original = drive.original.as_deref();
    inspect::same(original.context("its original is unknown")?, &drive.path)
}

pub(super) fn kept(seen: &Seen, path: &str) -> Result<()> {
    let before = seen.before.as_ref().context("there was no previous boot")?;
    let file = before.files.get(path);
    let before = file.with_context(|| format!("{path} was missing in the boot before"))?;
    same(path, &seen.file(path, "file")?.content, &before.content)
}

/// Files of a tmpfs count as shared memory, those of a ramfs as unevictable.
pub(super) fn in_memory(seen: &Seen, most: u64) -> Result<()> {
    let told = seen.report()?.kernel.get("/proc/meminfo");
    let told = told.context("the probe did not report the memory")?;
    let field = |name: &str| -> Result<u64> {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("/proc/meminfo has no {name}"))
    };
    let held = field("Shmem:")? + field("Unevictable:")?;
    ensure!(held <= most, "{held} KiB are held in memory");
    Ok(())
}

pub(super) fn clock_set(seen: &Seen) -> Result<()> {
    let lines = seen.lines(SET_TO);
    let [line] = lines.as_slice() else {
        bail!("{} lines are about the clock; {}", lines.len(), seen.said());
    };
    ensure!(line.starts_with(SPEAKER), "not dockerlaunch's line: {line}");
    let number = line.split(SET_TO).nth(1).unwrap_or_default();
    let set: i64 = number
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .with_context(|| format!("no number: {line}"))?;
    let now = seen.report()?.clock.0;
    ensure!(
        (set..set + LIFE).contains(&now),
        "the clock is at {now}, it was set to {set}"
    );
    Ok(())
}

pub(super) fn machine_id(content: &str) -> Result<()> {
    let digits = content.strip_suffix('\n').unwrap_or_default();
    let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
    ensure!(
        digits.len() == 32 && digits.chars().all(is_digit),
        "not a machine id: {content:?}"
    );
    Ok(())
}
