//! The image's own programs, run in it: the folder that it is unpacked into becomes their root.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{archive::Archive, world::World};
use crate::host::tools;

/// dockerlaunch's check finds everything in the full set, and everything that is required in the smallest.
pub(super) fn are_found(world: &World) -> Result<()> {
    let missing = |archive: &Archive, needs: &[&str]| {
        let root = Root::of(archive)?;
        // Its status also depends on the kernel, which is this machine's.
        let told = root
            .command("/usr/bin/dockerlaunch")
            .arg("--check=json")
            .output()?;
        let told = String::from_utf8(told.stdout)?;
        let objects: Vec<Value> = told
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        let requirements = objects.iter().filter(|one| one["kind"] == "requirement");
        let requirements: Vec<&Value> = requirements.collect();
        let found = requirements.iter().filter(|one| one["state"] == "found");
        ensure!(found.count() >= 6, "dockerlaunch found too little: {told}");
        let is_missing = |one: &&&Value| {
            one["state"] == "missing" && needs.contains(&one["need"].as_str().unwrap_or_default())
        };
        let names = requirements
            .iter()
            .filter(is_missing)
            .map(|one| one["name"].to_string());
        anyhow::Ok(names.collect::<Vec<_>>().join(", "))
    };
    let full = missing(&world.full, &["required", "optional", "obsolete"])?;
    ensure!(full.is_empty(), "the full set lacks {full}");
    let smallest = missing(&world.smallest, &["required"])?;
    ensure!(smallest.is_empty(), "the smallest set lacks {smallest}");
    Ok(())
}

/// In the folder of docker:dind, by their usual names.
pub(super) fn legacy_iptables(world: &World) -> Result<()> {
    const NAMES: &[&str] = &["iptables", "ip6tables"];
    let root = Root::of(&world.smallest)?;
    for name in NAMES {
        for suffix in ["", "-save", "-restore"] {
            let path = format!("/usr/local/sbin/.iptables-legacy/{name}{suffix}");
            let said = tools::output(root.command(&path).arg("--version"))?;
            ensure!(said.contains("(legacy)"), "{path} prints {said}");
            let path = format!("/usr/sbin/{name}{suffix}");
            let said = tools::output(root.command(&path).arg("--version"))?;
            ensure!(said.contains("(nf_tables)"), "{path} prints {said}");
        }
    }
    Ok(())
}

struct Root(tempfile::TempDir);

impl Root {
    /// With usr/etc in the place of etc, as dockerlaunch puts it there.
    fn of(archive: &Archive) -> Result<Self> {
        let base = archive.file.parent().unwrap_or(Path::new("."));
        let root = tempfile::tempdir_in(base)?;
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&archive.file).arg("-C").arg(root.path());
        tools::run(tar.arg("--no-same-owner")).context("unpack an image")?;
        fs::remove_dir(root.path().join("etc"))?;
        fs::rename(root.path().join("usr/etc"), root.path().join("etc"))?;
        Ok(Self(root))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--root"]);
        command.arg(self.0.path()).arg(program);
        command
    }
}
