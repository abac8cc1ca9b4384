//! apt with its own state below the cache folder: it needs no root, and reads only the user's settings (a proxy) of /etc/apt. It
//! finds versions and the closure of dependencies, and checks the mirror's signature.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::set::Set;
use crate::host::{needs::KEYRING, tools};

/// apt reads this file last. It clears the user's settings that run a program or fetch what is not needed.
const CONFIGURATION: &str = r##"// Written by dockerlaunch's harness: a state of its own, nothing of it is installed.
Dir::State "@/"; Dir::State::lists "@/lists"; Dir::State::status "@/status";
Dir::Cache "@/"; Dir::Cache::archives "@/archives";
Dir::Etc::sourcelist "@/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64"; APT::Architectures { "amd64"; };
APT::Install-Recommends "false"; APT::Sandbox::User ""; APT::Update::Error-Mode "any";
Acquire::ForceHash "SHA256"; Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "20";
Debug::NoLocking "true";
#clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success; #clear DPkg;
#clear Acquire::IndexTargets::deb::DEP-11; #clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
"##;

/// One package, as the signed index describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub file: String,
    pub size: u64,
    pub sha256: String,
}

pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Configures apt for the set; the folder keeps what it has.
    pub fn open(folder: &Path, set: &Set, mirror: &str) -> Result<Self> {
        ensure!(
            Path::new(KEYRING).exists(),
            "{KEYRING} is missing: install debian-archive-keyring"
        );
        for directory in ["lists/partial", "archives/partial", "none/partial"] {
            let directory = folder.join(directory);
            fs::create_dir_all(&directory)
                .with_context(|| format!("create {}", directory.display()))?;
        }
        let place = folder.to_str().context("the cache folder is not UTF-8")?;
        for (name, text) in [
            ("apt.conf", CONFIGURATION.replace('@', place)),
            ("sources.list", sources(set.suites, mirror)),
            ("status", status(set.present)),
        ] {
            write_changed(&folder.join(name), &text)?;
        }
        let folder = folder.to_owned();
        Ok(Self { folder })
    }

    /// Names the mirror. If it is newer than the index, the index is another mirror's.
    pub fn sources(&self) -> PathBuf {
        self.folder.join("sources.list")
    }

    /// Fetches the mirror's index.
    pub fn update(&self) -> Result<()> {
        tools::output(self.command().arg("update")).context("the mirror's index")?;
        Ok(())
    }

    /// The packages of these names and all their dependencies.
    pub fn plan(&self, names: &[String]) -> Result<Vec<Package>> {
        // apt names only the packages that it would fetch, so its archive must be empty.
        let none = format!(
            "Dir::Cache::archives={}",
            self.folder.join("none").display()
        );
        let mut command = self.command();
        command.args(["-o", &none, "-qq", "--print-uris", "install"]);
        let said = tools::output(command.args(names))?;
        let packages: Vec<Package> = said.lines().filter_map(package).collect();
        ensure!(
            !packages.is_empty(),
            "apt finds no package for {}:\n{said}",
            names.join(" ")
        );
        Ok(packages)
    }

    /// Fetches those that the archive lacks; `progress` gets the percentage.
    pub fn download(&self, names: &[String], progress: impl Fn(u64)) -> Result<()> {
        let mut command = self.command();
        command.args(["-o", "APT::Status-Fd=1", "--download-only", "install"]);
        command.args(names).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("start apt-get")?;
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            let line = line?;
            match percentage(&line) {
                Some(percentage) => progress(percentage),
                None => said.push(line),
            }
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            said.push(String::from_utf8_lossy(&output.stderr).into_owned());
            bail!(
                "apt-get cannot fetch the packages:\n{}",
                tools::last_lines(&said.join("\n"))
            );
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(self.folder.join("apt.conf"));
        command.args(["-q", "-y"]).env("LC_ALL", "C");
        command
    }
}

fn sources(suites: &[&str], mirror: &str) -> String {
    let mirror = mirror.trim_end_matches('/');
    let line = |suite: &&str| {
        let beside = if suite.ends_with("-security") {
            "-security"
        } else {
            ""
        };
        format!("deb [signed-by={KEYRING}] {mirror}{beside} {suite} main\n")
    };
    suites.iter().map(line).collect()
}

/// A dpkg status file: one invented package provides, in any version, the packages that are left out.
fn status(present: &[&str]) -> String {
    let provides: Vec<String> = present
        .iter()
        .map(|name| format!("{name} (= 999:1)"))
        .collect();
    format!(
        "Package: dockerlaunch-guest\nStatus: install ok installed\nMaintainer: dockerlaunch\nArchitecture: amd64\n\
         Version: 1\nProvides: {}\nDescription: what a guest under dockerlaunch does without\n",
        provides.join(", ")
    )
}

/// A line of --print-uris: `'http://…/runc_1.1.15_amd64.deb' runc_1.1.15_amd64.deb 3229748 SHA256:…`.
fn package(line: &str) -> Option<Package> {
    let mut words = line.strip_prefix('\'')?.split(' ').skip(1);
    let file = words.next()?.to_owned();
    let size = words.next()?.parse().ok()?;
    let sha256 = words.next()?.strip_prefix("SHA256:")?.to_owned();
    Some(Package { file, size, sha256 })
}

/// A line of apt's status descriptor: `dlstatus:3:41.5023:Retrieving file 3 of 60`.
fn percentage(line: &str) -> Option<u64> {
    let percentage = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    percentage.split('.').next()?.parse().ok()
}

/// Leaves the file alone if it has this text already: its time of modification counts.
fn write_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_output_is_parsed() {
        let line = "'http://deb.debian.org/debian/pool/main/r/runc/runc_1%2bds1_amd64.deb' runc_1+ds1_amd64.deb 3229748 SHA256:fad4";
        let expected = Package {
            file: "runc_1+ds1_amd64.deb".into(),
            size: 3_229_748,
            sha256: "fad4".into(),
        };
        assert_eq!(package(line), Some(expected));
        assert_eq!(package("Reading package lists..."), None);
        assert_eq!(package("'http://x/a.deb' a.deb 1 MD5Sum:00"), None);
        let line = "dlstatus:3:41.5023:Retrieving file 3 of 60 (2s remaining)";
        assert_eq!(percentage(line), Some(41));
        assert_eq!(percentage("Get:1 http://x"), None);
    }

    #[test]
    fn the_security_archive_is_beside_the_mirror() {
        let lines = sources(&["bookworm", "bookworm-security"], "http://m/debian/");
        assert!(lines.contains("] http://m/debian bookworm main\n"));
        assert!(lines.contains("] http://m/debian-security bookworm-security main\n"));
    }
}
