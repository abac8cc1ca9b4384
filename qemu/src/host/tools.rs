//! Runs other programs of this machine. An error shows the command, its exit status and the end of its output.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::paths;

/// Variables that cargo sets for the harness. Another cargo must not see them: build scripts would run again.
const OF_THE_HARNESS: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_"];

/// How many lines of a failed program's output an error shows.
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

/// The same where only its success counts.
pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
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

/// A program of root's, such as mkfs.ext4: its folder may be missing in a user's PATH.
pub fn of_root(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path());
    command
}

/// depmod of the kernel that lies below `base`/lib/modules; the caller adds the kernel's version.
pub fn depmod(base: &Path) -> Command {
    let mut command = of_root("depmod");
    command.arg("-b").arg(base);
    command
}

/// Copies a file; its holes stay holes.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.args(["--sparse=auto", "--reflink=auto"]);
    run(command.arg(from).arg(to))
}

/// PATH and the folders of root's programs.
pub fn search_path() -> String {
    format!(
        "{}:/usr/local/sbin:/usr/sbin:/sbin",
        env::var("PATH").unwrap_or_default()
    )
}

/// The end of a long text.
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
