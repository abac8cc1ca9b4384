//! Builds the release program for x86_64-unknown-linux-musl, and the probe for the small scenarios.
//!
//! The program needs the target's `core` and nothing else of it. Where the toolchain has none and rustup can get none,
//! Debian's compiler comes into the cache folder with its source, and builds `core` once.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    packages::{self, Set},
    paths,
    progress::Step,
    run,
};

const TARGET: &str = "x86_64-unknown-linux-musl";

/// The probe is a std program, linked statically with glibc: that target's std is always there.
const PROBE_TARGET: &str = "x86_64-unknown-linux-gnu";

/// A program that was built elsewhere and is used instead.
const READY: &str = "DOCKERLAUNCH_BIN";

/// Debian's newest compiler for its own stable releases. It runs on any newer Debian, so one suite serves all.
const COMPILER: &[&str] = &["rustc-web", "rust-web-src"];
const COMPILER_SUITES: &[&str] = &["bookworm", "bookworm-security"];

/// Every machine that builds Rust programs has these.
const PRESENT: &[&str] = &[
    "binutils",
    "gcc",
    "libc6",
    "libc6-dev",
    "libc-dev",
    "libgcc-s1",
    "libstdc++6",
];

const WRAPPER: &str = "#!/bin/sh
here=${0%/*}
LD_LIBRARY_PATH=$here/usr/lib/x86_64-linux-gnu exec \"$here/usr/bin/rustc\" \"$@\"
";

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

/// The same program with its symbols, for the host's tests. None: it was built elsewhere.
pub fn with_symbols(features: &Features, mirror: &str) -> Result<Option<PathBuf>> {
    if is_built_elsewhere() {
        return Ok(None);
    }
    let mut command = of_program("rustc", features, mirror)?;
    command.arg("--target-dir");
    command.arg(paths::target()?.join("qemu/symbols"));
    // Of the profile it would be another program: functions come in the order of names that hold a digest of the profile.
    command.args(["--", "-Cstrip=none"]);
    build(&mut command, "dockerlaunch").map(Some)
}

/// The release program, built below target/ if it is not current. Each choice of features has a file of its own.
pub fn built(features: &Features, mirror: &str) -> Result<PathBuf> {
    let mut command = of_program("build", features, mirror)?;
    let name = match features {
        Features::Default => "dockerlaunch".to_owned(),
        Features::All => "dockerlaunch-all".to_owned(),
        Features::Only(features) if features.is_empty() => "dockerlaunch-none".to_owned(),
        Features::Only(features) => format!("dockerlaunch-{}", features.join(",")),
    };
    // The next choice of features overwrites cargo's file.
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

fn cargo(verb: &str) -> Command {
    let mut command = run::cargo();
    let format = "--message-format=json-render-diagnostics";
    command.args([verb, "--release", format]);
    command
}

/// Runs cargo, and asks it where the program is.
fn build(command: &mut Command, name: &str) -> Result<PathBuf> {
    let step = Step::spinner(&format!("{name}: building"));
    let said = run::output(command)?;
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

/// The compiler to use instead of the toolchain's own, if that one has no core for the target and cannot get it.
fn compiler(mirror: &str) -> Result<Option<PathBuf>> {
    if has_core("rustc")? {
        return Ok(None);
    }
    let step = Step::spinner(&format!("rustup: adding the target {TARGET}"));
    let added = run::output(Command::new("rustup").args(["target", "add", TARGET]));
    if added.is_ok() && has_core("rustc")? {
        step.done(&format!("rustup: added the target {TARGET}"));
        return Ok(None);
    }
    step.done("rustup cannot add the target: taking Debian's compiler, into the cache folder");
    debian(mirror)
        .map(Some)
        .context("neither rustup nor Debian's compiler gives the target x86_64-unknown-linux-musl")
}

fn has_core(compiler: impl AsRef<Path>) -> Result<bool> {
    let said = run::output(Command::new(compiler.as_ref()).args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]))?;
    let Ok(files) = fs::read_dir(said.trim()) else {
        return Ok(false);
    };
    Ok(files.flatten().any(|file| is_library(&file.path(), "core")))
}

fn is_library(path: &Path, name: &str) -> bool {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
}

/// Debian's compiler with the target's core, in the cache folder.
fn debian(mirror: &str) -> Result<PathBuf> {
    let packages = COMPILER.iter().map(|name| name.to_string()).collect();
    let set = Set {
        name: "compiler".into(),
        suites: COMPILER_SUITES,
        packages,
        present: PRESENT,
    };
    let unpacked = packages::unpacked(&set, mirror)?;
    let directory = paths::cache()?.join("compiler");
    let _lock = paths::lock(&directory)?;
    let prefix = directory.join(format!("prefix-{}", unpacked.id));
    let compiler = "rustc";
    if prefix.is_dir() {
        return Ok(prefix.join(compiler));
    }
    let step = Step::spinner("compiler: building core for the target");
    let aside = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(&directory)?;
    let copy = aside.path().join("prefix");
    run::output(
        Command::new("cp")
            .args(["-a", "--link"])
            .arg(&unpacked.root)
            .arg(&copy),
    )?;
    write_wrapper(&copy.join(compiler))?;
    build_core(&copy.join(compiler), &copy, &aside.path().join("core"))?;
    ensure!(
        has_core(copy.join(compiler))?,
        "the compiler does not find the core it built"
    );
    fs::rename(&copy, &prefix).with_context(|| format!("rename to {}", prefix.display()))?;
    step.done("compiler: ready");
    Ok(prefix.join(compiler))
}

/// The compiler does not know where its libraries lie now: a script beside it tells it.
fn write_wrapper(path: &Path) -> Result<()> {
    fs::write(path, WRAPPER)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

fn build_core(compiler: &Path, prefix: &Path, empty: &Path) -> Result<()> {
    fs::create_dir_all(empty.join("src"))?;
    fs::write(empty.join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(
        empty.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n",
    )?;
    let mut command = run::cargo();
    command.current_dir(empty).args([
        "build",
        "--release",
        "--target",
        TARGET,
        "-Zbuild-std=core,alloc,compiler_builtins",
    ]);
    command.arg("-Zbuild-std-features=optimize_for_size");
    command
        .env("RUSTC", compiler)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    command.env("CARGO_TARGET_DIR", empty.join("target"));
    run::output(&mut command)?;
    let to = prefix.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(empty.join("target").join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        if ["core", "alloc", "compiler_builtins"]
            .iter()
            .any(|name| is_library(&path, name))
        {
            fs::copy(
                &path,
                to.join(path.file_name().expect("a folder's entry has a name")),
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_where_the_program_is() {
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

    #[test]
    fn only_whole_libraries_count() {
        assert!(is_library(Path::new("/x/libcore-0a1b.rlib"), "core"));
        assert!(!is_library(Path::new("/x/libcore-0a1b.rmeta"), "core"));
        assert!(!is_library(
            Path::new("/x/libcompiler_builtins-1.rlib"),
            "core"
        ));
    }
}
