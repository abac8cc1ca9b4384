//! Builds the release program, dockerlaunch, with any of its Cargo features; and the probe for the small scenarios.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use super::compiler::{TARGET, compiler};
use crate::host::{paths, progress::Step, tools};

/// The probe uses std, linked statically with glibc: every toolchain has the std of this target.
const PROBE_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Names a program that was built elsewhere, to be used instead.
const READY: &str = "DOCKERLAUNCH_BIN";

/// Cargo features of the program.
#[derive(Clone, Debug)]
pub enum Features {
    Default,
    All,
    /// These and no others.
    Only(Vec<String>),
}

/// The release program: the one that was built elsewhere, or ours.
pub fn program(features: &Features, mirror: &str) -> Result<PathBuf> {
    if let Some(ready) = env::var_os(READY) {
        let path = PathBuf::from(ready);
        ensure!(
            path.is_file(),
            "{READY} names {}, which is not a file",
            path.display()
        );
        return Ok(path);
    }
    built(features, mirror)
}

pub fn is_built_elsewhere() -> bool {
    env::var_os(READY).is_some()
}

/// The same program with its symbols, for the host's tests; none if it was built elsewhere.
pub fn with_symbols(features: &Features, mirror: &str) -> Result<Option<PathBuf>> {
    if is_built_elsewhere() {
        return Ok(None);
    }
    let mut command = of_program("rustc", features, mirror)?;
    command.arg("--target-dir");
    command.arg(paths::target()?.join("qemu/symbols"));
    // A setting of the profile would make another program: the names of functions, and so their order, depend on the profile.
    command.args(["--", "-Cstrip=none"]);
    build(&mut command, "dockerlaunch").map(Some)
}

/// The release program, built below target/ if it is not current. Each choice of features gets its own file.
pub fn built(features: &Features, mirror: &str) -> Result<PathBuf> {
    let mut command = of_program("build", features, mirror)?;
    let name = match features {
        Features::Default => "dockerlaunch".to_owned(),
        Features::All => "dockerlaunch-all".to_owned(),
        Features::Only(features) if features.is_empty() => "dockerlaunch-none".to_owned(),
        Features::Only(features) => format!("dockerlaunch-{}", features.join(",")),
    };
    // Cargo overwrites its file for the next choice of features.
    let built = build(&mut command, "dockerlaunch")?;
    let directory = paths::target()?.join("qemu/programs");
    let _lock = paths::lock(&directory)?;
    let path = directory.join(name);
    fs::copy(&built, &path)
        .with_context(|| format!("copy {} to {}", built.display(), path.display()))?;
    Ok(path)
}

/// A cargo command for the program.
fn of_program(verb: &str, features: &Features, mirror: &str) -> Result<Command> {
    let compiler = compiler(mirror)?;
    let mut command = cargo(verb);
    command.args(["--package", "dockerlaunch", "--bin", "dockerlaunch"]);
    command.args(["--target", TARGET]);
    match features {
        Features::Default => {}
        Features::All => {
            command.arg("--all-features");
        }
        Features::Only(features) => {
            let list = features.join(",");
            command.args(["--no-default-features", "--features", &list]);
        }
    }
    if let Some(compiler) = compiler {
        command.env("RUSTC", compiler);
    }
    Ok(command)
}

/// The static probe.
pub fn probe() -> Result<PathBuf> {
    let mut command = cargo("build");
    command
        .args(["--package", "probe", "--target", PROBE_TARGET])
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    build(&mut command, "probe")
}

/// The programs of `cargo qemu bench` that run in a guest without a libc, by their names.
pub fn stopwatch<const N: usize>(names: [&str; N], mirror: &str) -> Result<[PathBuf; N]> {
    let mut command = cargo("build");
    command.args(["--package", "stopwatch", "--target", TARGET]);
    if let Some(compiler) = compiler(mirror)? {
        command.env("RUSTC", compiler);
    }
    let step = Step::spinner("stopwatch: building");
    let said = tools::output(&mut command)?;
    step.done("stopwatch: built");
    let built = |name| {
        let mut lines = said.lines();
        lines.find_map(|line| executable(line, name))
    };
    let missing = || anyhow!("cargo did not build all of {names:?}");
    let paths: Option<Vec<PathBuf>> = names.map(built).into_iter().collect();
    paths
        .and_then(|paths| paths.try_into().ok())
        .ok_or_else(missing)
}

fn cargo(verb: &str) -> Command {
    let mut command = tools::cargo();
    let format = "--message-format=json-render-diagnostics";
    command.args([verb, "--release", format]);
    command
}

/// Runs cargo, and reads from its messages where the program is.
fn build(command: &mut Command, name: &str) -> Result<PathBuf> {
    let step = Step::spinner(&format!("{name}: building"));
    let said = tools::output(command)?;
    let executable = said
        .lines()
        .filter_map(|line| executable(line, name))
        .next_back();
    let path = executable.with_context(|| format!("cargo built no program `{name}`"))?;
    step.done(&format!("{name}: {} bytes", fs::metadata(&path)?.len()));
    Ok(path)
}

fn executable(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let executable = message["executable"].as_str()?;
    (message["target"]["name"] == name).then(|| PathBuf::from(executable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_path_is_read_from_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"dockerlaunch"},"executable":"/t/dockerlaunch"}"#;
        assert_eq!(
            executable(line, "dockerlaunch"),
            Some("/t/dockerlaunch".into())
        );
        assert_eq!(executable(line, "probe"), None);
        assert_eq!(
            executable(
                r#"{"reason":"x","target":{"name":"probe"},"executable":null}"#,
                "probe"
            ),
            None
        );
    }
}
