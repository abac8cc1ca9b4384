//! Debian packages without installing them: a set of names becomes a folder with their files.
//!
//! apt does what it is good at, with a state of its own below the cache folder (no root needed, /etc/apt untouched but for
//! the user's proxy settings): it finds the versions and the closure of dependencies, and checks the mirror's signature.
//! The packages are checked again against the signed hashes whenever they are unpacked.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{paths, progress::Step, run, unpack};

/// Debian's own public address; `--mirror` and DOCKERLAUNCH_MIRROR name another.
pub const MIRROR: &str = "http://deb.debian.org/debian";

/// Of the package debian-archive-keyring.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How long an index of packages is taken for current, and how long what no set needs any more is kept.
const CURRENT: Duration = Duration::from_secs(24 * 60 * 60);
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Packages that belong together.
pub struct Set {
    /// Its folder in the cache.
    pub name: String,
    /// Where apt looks. One that ends in `-security` is in Debian's security archive, beside the mirror.
    pub suites: &'static [&'static str],
    pub packages: Vec<String>,
    /// What the packages depend on and are better off without: told to apt as installed.
    pub present: &'static [&'static str],
}

/// A set, unpacked.
pub struct Unpacked {
    /// Laid out as a merged /usr (unpack.rs).
    pub root: PathBuf,
    /// A digest of all its packages.
    pub id: String,
}

/// One package of a set, as the signed index describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Package {
    file: String,
    size: u64,
    sha256: String,
}

/// The set's files: from the mirror, or from the cache if the mirror cannot be reached.
pub fn unpacked(set: &Set, mirror: &str) -> Result<Unpacked> {
    let store = Store::open(set, mirror)?;
    let _lock = paths::lock(&store.folder)?;
    match store.current(set) {
        Ok(unpacked) => Ok(unpacked),
        Err(error) => {
            let earlier = store.earlier().with_context(|| format!("{error:#}\nand no earlier set is in {}", store.folder.display()))?;
            eprintln!("note: {mirror}, for {}: {error:#}\nnote: using the packages that are in the cache", set.name);
            Ok(earlier)
        }
    }
}

/// The set's part of the cache folder.
struct Store {
    folder: PathBuf,
    archives: PathBuf,
    configuration: PathBuf,
}

impl Store {
    fn open(set: &Set, mirror: &str) -> Result<Self> {
        let folder = paths::cache()?.join(&set.name);
        let archives = folder.join("archives");
        let configuration = folder.join("apt.conf");
        for directory in ["lists/partial", "archives/partial", "none/partial"] {
            fs::create_dir_all(folder.join(directory)).with_context(|| format!("create {}", folder.display()))?;
        }
        ensure!(Path::new(KEYRING).exists(), "{KEYRING} is missing: install debian-archive-keyring");
        let at = |name: &str| folder.join(name).display().to_string();
        write_changed(&folder.join("sources.list"), &sources(set.suites, mirror))?;
        write_changed(&folder.join("status"), &status(set.present))?;
        write_changed(
            &configuration,
            &format!(
                r##"// Written by dockerlaunch's harness: a state of its own, nothing of it is installed.
Dir::State "{0}"; Dir::State::lists "{lists}"; Dir::State::status "{status}";
Dir::Cache "{0}"; Dir::Cache::archives "{archives}";
Dir::Etc::sourcelist "{sources}"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64"; APT::Architectures {{ "amd64"; }}; APT::Install-Recommends "false"; APT::Sandbox::User "";
Acquire::ForceHash "SHA256"; Acquire::Languages "none"; Acquire::Retries "2"; Acquire::http::Timeout "20";
Debug::NoLocking "true";
#clear APT::Update; #clear DPkg; #clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons; #clear Acquire::IndexTargets::deb::DEP-11-icons-small;
"##,
                folder.display(),
                lists = at("lists"),
                status = at("status"),
                archives = at("archives"),
                sources = at("sources.list"),
            ),
        )?;
        Ok(Self { folder, archives, configuration })
    }

    fn current(&self, set: &Set) -> Result<Unpacked> {
        let fresh = self.index_age().is_some_and(|age| age < CURRENT);
        if !fresh {
            self.update(set)?;
        }
        let mut packages = self.plan(set)?;
        if let Err(error) = self.fetch(set, &packages) {
            if !fresh {
                return Err(error);
            }
            self.update(set)?; // The suite has moved on since, and the mirror keeps one version.
            packages = self.plan(set)?;
            self.fetch(set, &packages)?;
        }
        let unpacked = self.unpack(set, &packages)?;
        write_changed(&self.folder.join("packages.json"), &serde_json::to_string_pretty(&packages)?)?;
        self.forget(&packages, &unpacked)?;
        Ok(unpacked)
    }

    /// The set as it was when it last was complete.
    fn earlier(&self) -> Result<Unpacked> {
        let packages: Vec<Package> = serde_json::from_slice(&fs::read(self.folder.join("packages.json"))?)?;
        let (id, root) = self.place(&packages);
        ensure!(root.is_dir(), "{} is missing", root.display());
        Ok(Unpacked { root, id })
    }

    fn apt(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(&self.configuration).args(["-q", "-y"]).env("LC_ALL", "C");
        command
    }

    /// Since the index was fetched from this mirror.
    fn index_age(&self) -> Option<Duration> {
        let fetched = fs::metadata(self.folder.join("updated")).ok()?.modified().ok()?;
        let asked = fs::metadata(self.folder.join("sources.list")).ok()?.modified().ok()?;
        if asked > fetched {
            return None;
        }
        SystemTime::now().duration_since(fetched).ok()
    }

    fn update(&self, set: &Set) -> Result<()> {
        let step = Step::spinner(&format!("{}: asking the mirror for its packages", set.name));
        run::output(self.apt().args(["-o", "APT::Update::Error-Mode=any", "update"])).context("the mirror's index")?;
        fs::write(self.folder.join("updated"), "")?;
        step.done(&format!("{}: the mirror's index is current", set.name));
        Ok(())
    }

    /// The packages with all they depend on.
    fn plan(&self, set: &Set) -> Result<Vec<Package>> {
        // apt names only what it would fetch: so it is shown an empty archive.
        let none = format!("Dir::Cache::archives={}", self.folder.join("none").display());
        let said = run::output(self.apt().args(["-o", &none, "-qq", "--print-uris", "install"]).args(&set.packages))?;
        let packages: Vec<Package> = said.lines().filter_map(package).collect();
        ensure!(!packages.is_empty(), "apt names no package for {}:\n{said}", set.packages.join(" "));
        Ok(packages)
    }

    fn fetch(&self, set: &Set, packages: &[Package]) -> Result<()> {
        let missing: Vec<&Package> = packages.iter().filter(|package| !self.is_whole(package)).collect();
        let (_, root) = self.place(packages);
        if missing.is_empty() || root.is_dir() {
            return Ok(());
        }
        let mebibytes = missing.iter().map(|package| package.size).sum::<u64>().div_ceil(1 << 20);
        let what = format!("{}: {} packages, {mebibytes} MiB", set.name, missing.len());
        let step = Step::counted(&format!("{what}: fetching"), 100);
        let mut command = self.apt();
        command.args(["-o", "APT::Status-Fd=1", "--download-only", "install"]).args(&set.packages);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
            let line = line?;
            match percentage(&line) {
                Some(percentage) => step.set(percentage),
                None => said.push(line),
            }
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let complaints = String::from_utf8_lossy(&output.stderr);
            bail!("apt-get cannot fetch the packages:\n{}", run::last_lines(&format!("{}\n{complaints}", said.join("\n"))));
        }
        step.done(&format!("{what}: fetched"));
        Ok(())
    }

    fn is_whole(&self, package: &Package) -> bool {
        fs::metadata(self.archives.join(&package.file)).is_ok_and(|file| file.len() == package.size)
    }

    fn unpack(&self, set: &Set, packages: &[Package]) -> Result<Unpacked> {
        let (id, root) = self.place(packages);
        if root.is_dir() {
            return Ok(Unpacked { root, id });
        }
        let total = packages.iter().map(|package| package.size).sum();
        let step = Step::bytes(&format!("{}: unpacking", set.name), total);
        let aside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&self.folder)?;
        let mut done = 0;
        for package in packages {
            let path = self.archives.join(&package.file);
            verify(&path, &package.sha256)?;
            unpack::package(&path, aside.path())?;
            done += package.size;
            step.set(done);
        }
        unpack::readable(aside.path())?;
        fs::rename(aside.keep(), &root).with_context(|| format!("rename to {}", root.display()))?;
        step.done(&format!("{}: {} packages checked and unpacked", set.name, packages.len()));
        Ok(Unpacked { root, id })
    }

    /// The set's digest, and where it is unpacked.
    fn place(&self, packages: &[Package]) -> (String, PathBuf) {
        let mut digest = Sha256::new();
        for package in packages {
            digest.update(&package.sha256);
        }
        digest.update(unpack::LAYOUT.to_le_bytes());
        let id = format!("{:x}", digest.finalize())[..16].to_owned();
        let root = self.folder.join(format!("root-{id}"));
        (id, root)
    }

    /// Removes what no set has needed for a while. Another process may still read what it began with.
    fn forget(&self, packages: &[Package], unpacked: &Unpacked) -> Result<()> {
        let needed = |name: &str| packages.iter().any(|package| package.file == name) || unpacked.root.ends_with(name);
        for directory in [&self.folder, &self.archives] {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let ours = name.starts_with("root-") || name.starts_with(".unpacking-") || name.ends_with(".deb");
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if !ours || needed(&name) || age < KEPT {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

fn sources(suites: &[&str], mirror: &str) -> String {
    let line = |suite: &&str| {
        let beside = if suite.ends_with("-security") { "-security" } else { "" };
        format!("deb [signed-by={KEYRING}] {}{beside} {suite} main\n", mirror.trim_end_matches('/'))
    };
    suites.iter().map(line).collect()
}

/// A dpkg status file in which one invented package provides, in any version, what is to be left out.
fn status(present: &[&str]) -> String {
    let provides: Vec<String> = present.iter().map(|name| format!("{name} (= 999:1)")).collect();
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
    let percentage: f64 = line.strip_prefix("dlstatus:")?.split(':').nth(1)?.parse().ok()?;
    Some(percentage as u64)
}

fn verify(path: &Path, sha256: &str) -> Result<()> {
    let mut file = fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest)?;
    if format!("{:x}", digest.finalize()) != sha256 {
        let _ = fs::remove_file(path); // So that the next run fetches it anew.
        bail!("{} is not what the mirror's signed index describes: removed, try again", path.display());
    }
    Ok(())
}

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
    fn apts_lines_are_read() {
        let line = "'http://deb.debian.org/debian/pool/main/r/runc/runc_1%2bds1_amd64.deb' runc_1+ds1_amd64.deb 3229748 SHA256:fad4";
        let expected = Package { file: "runc_1+ds1_amd64.deb".into(), size: 3_229_748, sha256: "fad4".into() };
        assert_eq!(package(line), Some(expected));
        assert_eq!(package("Reading package lists..."), None);
        assert_eq!(package("'http://x/a.deb' a.deb 1 MD5Sum:00"), None);
        assert_eq!(percentage("dlstatus:3:41.5023:Retrieving file 3 of 60 (2s remaining)"), Some(41));
        assert_eq!(percentage("Get:1 http://x"), None);
    }

    #[test]
    fn a_changed_package_is_refused_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.deb");
        fs::write(&path, "abc").unwrap();
        verify(&path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        assert!(verify(&path, "00").unwrap_err().to_string().contains("signed index"));
        assert!(!path.exists());
    }
}
