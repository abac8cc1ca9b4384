//! What dockerlaunch claims: its table, as `--check=json` tells it in the guest that lacks nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{Guest, has_line, names};

/// A requirement of the report, as far as it is used here.
#[derive(Deserialize)]
struct Line {
    name: String,
    state: String,
    need: String,
    error: String,
}

/// The requirements by name.
pub(super) struct Claims(BTreeMap<String, Line>);

/// What no check can show: no suite of Debian has an engine with the backend that it is for.
const NO_ENGINE: &[&str] = &["nft"];

/// Without these the engine says nothing: there is none, it does not notice, or nothing is lost.
const SILENT: &[&str] = &["dockerd", "git-clone", "git-checkout", "apparmor_parser"];

/// Lines that the report for a person has in this guest: the kernel's part, and where images lie.
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

    /// The engine's words without it; empty if it has none.
    pub(super) fn error(&self, name: &str) -> Result<&str> {
        let line = self.0.get(name);
        let line = line.with_context(|| format!("dockerlaunch knows no {name}"))?;
        ensure!(
            line.error.is_empty() == SILENT.contains(&name),
            "the engine's words without {name} are `{}`",
            line.error
        );
        Ok(&line.error)
    }

    /// Every requirement has its checks here and is found in the guest, and a person can read the report.
    pub(super) fn whole(&self, guest: &Guest) -> Result<()> {
        let names = names();
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
