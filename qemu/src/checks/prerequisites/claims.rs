//! What dockerlaunch claims: its table of requirements, from `--check=json` in a guest that lacks nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::guest::Guest;

/// A requirement in the report; only the fields that are used here.
#[derive(Deserialize)]
struct Line {
    name: String,
    state: String,
    need: String,
    error: String,
}

/// The requirements by name.
pub(super) struct Claims(BTreeMap<String, Line>);

/// No check can show this: no suite of Debian has an engine with its backend.
const NO_ENGINE: &[&str] = &["nft"];

/// Without these there is no message of the engine: there is no engine, it does not notice, or nothing is lost.
const SILENT: &[&str] = &["dockerd", "git-clone", "git-checkout", "apparmor_parser"];

/// More lines of the report for a person: the kernel's features, and the data root.
const LINES: &[&[&str]] = &[
    &["found", "overlay"],
    &["found", "bridge"],
    &["found", "veth"],
    &["found", "seccomp"],
    &["found", "memory"],
    &["found", "/var/lib/docker", "ext4, with d_type"],
];

impl Claims {
    pub(super) fn read(guest: &Guest) -> Result<Self> {
        let report = guest.run("exec /usr/bin/dockerlaunch --check=json")?;
        let mut claims = BTreeMap::new();
        for line in report.lines() {
            let about = || format!("read this line of --check=json: {line}");
            let value: Value = serde_json::from_str(line).with_context(about)?;
            if value["kind"] == "requirement" {
                let line: Line = serde_json::from_value(value).with_context(about)?;
                claims.insert(line.name.clone(), line);
            }
        }
        Ok(Self(claims))
    }

    /// The engine's message without it; empty if it has none.
    pub(super) fn error(&self, name: &str) -> Result<&str> {
        let line = self.0.get(name);
        let line = line.with_context(|| format!("dockerlaunch knows no {name}"))?;
        ensure!(
            line.error.is_empty() == SILENT.contains(&name),
            "the engine's message without {name} is `{}`",
            line.error
        );
        Ok(&line.error)
    }

    /// Every requirement has its checks here and is found in the guest, and the report for a person names it.
    pub(super) fn whole(&self, guest: &Guest, names: &[String]) -> Result<()> {
        for (name, line) in &self.0 {
            if NO_ENGINE.contains(&name.as_str()) {
                continue;
            }
            ensure!(
                names.contains(&format!("{name} with")),
                "{name} has no checks"
            );
            ensure!(
                line.state == "found",
                "{name} ({}) is {} in a guest that has it",
                line.need,
                line.state
            );
        }
        let report = guest.run("exec /usr/bin/dockerlaunch --check")?;
        let requirements = self.0.values().map(|line| vec![&*line.state, &*line.name]);
        let others = LINES.iter().map(|words| words.to_vec());
        requirements
            .chain(others)
            .try_for_each(|words| has_line(&report, &words))
    }
}

/// An error unless one line has all the words.
pub(super) fn has_line(said: &str, words: &[&str]) -> Result<()> {
    let all = |line: &str| words.iter().all(|word| line.contains(word));
    ensure!(
        said.lines().any(all),
        "no line has {words:?}; the lines are\n{}",
        said.trim()
    );
    Ok(())
}
