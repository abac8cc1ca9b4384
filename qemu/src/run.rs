//! Runs another program and tells why it failed: its words, its status, the end of what it said.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::paths;

/// What the cargo that runs the harness tells of it. To another cargo these would be a change: build scripts look at them.
const OF_THE_HARNESS: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_"];

/// How much of a failed program's words an error shows.
const SHOWN: usize = 30;

/// Runs the command to its end and returns its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{name}`"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaints = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{name}`: {}\n{}",
            output.status,
            last_lines(&format!("{said}{complaints}"))
        );
    }
    Ok(said)
}

/// Cargo in the workspace, as the user would call it.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::workspace());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THE_HARNESS.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

fn name(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
