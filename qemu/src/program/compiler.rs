//! The compiler for the program, which needs the target's `core` and nothing else of it. Where the toolchain has no `core` and
//! rustup cannot add it, Debian's compiler is fetched into the cache folder with its source, and builds `core` once.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    host::{paths, progress::Step, tools},
    packages::{self, Set},
};

pub(super) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Debian's newest compiler for its stable releases. It runs on any newer Debian, so one suite is enough.
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

/// The compiler to use instead of the toolchain's own, if that one has no `core` for the target and cannot get it.
pub(super) fn compiler(mirror: &str) -> Result<Option<PathBuf>> {
    if has_core("rustc")? {
        return Ok(None);
    }
    let step = Step::spinner(&format!("rustup: adding the target {TARGET}"));
    let added = tools::output(Command::new("rustup").args(["target", "add", TARGET]));
    if added.is_ok() && has_core("rustc")? {
        step.done(&format!("rustup: added the target {TARGET}"));
        return Ok(None);
    }
    step.done("rustup cannot add the target: using Debian's compiler, in the cache folder");
    debian(mirror).map(Some).context(
        "neither rustup nor Debian's compiler provides the target x86_64-unknown-linux-musl",
    )
}

fn has_core(compiler: impl AsRef<Path>) -> Result<bool> {
    let said = tools::output(Command::new(compiler.as_ref()).args([
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

/// Debian's compiler with the target's `core`, in the cache folder.
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
    tools::run(
        Command::new("cp")
            .args(["-a", "--link"])
            .arg(&unpacked.root)
            .arg(&copy),
    )?;
    write_wrapper(&copy.join(compiler))?;
    build_core(&copy.join(compiler), &copy, &aside.path().join("core"))?;
    ensure!(
        has_core(copy.join(compiler))?,
        "the compiler does not find the `core` that it built"
    );
    fs::rename(&copy, &prefix).with_context(|| format!("rename to {}", prefix.display()))?;
    step.done("compiler: ready");
    Ok(prefix.join(compiler))
}

/// The compiler does not find its libraries in this folder: a script sets their path.
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
    let mut command = tools::cargo();
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
    tools::run(&mut command)?;
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
    fn only_whole_libraries_count() {
        assert!(is_library(Path::new("/x/libcore-0a1b.rlib"), "core"));
        assert!(!is_library(Path::new("/x/libcore-0a1b.rmeta"), "core"));
        assert!(!is_library(
            Path::new("/x/libcompiler_builtins-1.rlib"),
            "core"
        ));
    }
}
