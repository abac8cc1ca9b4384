//! Debian packages without installing them: a set of names becomes a folder with their files, in the user's cache.
//!
//! apt checks what it fetches against the mirror's signed index; it is checked again whenever it is unpacked. What cannot
//! be brought up to date is used as it last was, which is noted with its age; a strict run takes only a recent one.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{
    apt::{Apt, Package},
    paths,
    progress::Step,
    report, strict,
    unpack::{self, Brought},
};

/// Debian's own public address; `--mirror` and DOCKERLAUNCH_MIRROR name another.
pub const MIRROR: &str = "http://deb.debian.org/debian";

/// How long an index of packages is taken for current, and how long what no set needs any more is kept.
const CURRENT: Duration = Duration::from_secs(24 * 60 * 60);
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How old an index may be that a strict run takes from the cache, because the mirror cannot be asked.
const OLDEST: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Folders that are made of packages: unpacked, a compiler's prefix, and what an interrupted run left.
const OURS: &[&str] = &["root-", "prefix-", ".unpacking-"];

/// What each package brought, by its file's name: lies in the root, and in no image.
const CONTENTS: &str = ".packages.json";

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

impl Unpacked {
    /// What each package brought, by its file's name `NAME_VERSION_amd64.deb`.
    pub fn contents(&self) -> Result<BTreeMap<String, Brought>> {
        let path = self.root.join(CONTENTS);
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// A set, by its name, that the mirror did not give: the context of such an error, and of no other.
#[derive(Debug)]
pub struct NotFetched(pub String);

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the packages of {} cannot be fetched", self.0)
    }
}

/// The set's files: of today, or from the cache if the mirror cannot be reached.
pub fn unpacked(set: &Set, mirror: &str) -> Result<Unpacked> {
    let folder = paths::cache()?.join(&set.name);
    let _lock = paths::lock(&folder)?;
    let apt = Apt::open(&folder, set, mirror)?;
    let store = Store { folder, apt };
    match store.current(set) {
        Ok(unpacked) => Ok(unpacked),
        Err(error) if error.is::<NotFetched>() => {
            let earlier = match store.earlier() {
                Ok(earlier) => earlier,
                Err(none) => {
                    let folder = store.folder.display();
                    return Err(error.context(format!("no earlier set is in {folder}: {none:#}")));
                }
            };
            let age = store.cached_for();
            if let Some(refused) = too_old(age, strict::is_on()) {
                return Err(error.context(refused));
            }
            report::note(format!(
                "{}: using the packages in the cache, whose index is {}: {error:#}",
                set.name,
                told(age)
            ));
            Ok(earlier)
        }
        Err(error) => Err(error),
    }
}

/// Why an earlier set is not taken.
pub(crate) fn too_old(age: Option<Duration>, strict: bool) -> Option<String> {
    (strict && age.is_none_or(|age| age > OLDEST)).then(|| {
        format!(
            "the packages in the cache are not taken: their index is {}, and a strict run takes none that is more than {}",
            told(age),
            told(Some(OLDEST))
        )
    })
}

/// An age for the reader.
pub(crate) fn told(age: Option<Duration>) -> String {
    let Some(age) = age else {
        return "of unknown age".into();
    };
    match age.as_secs() / 3600 {
        hours @ ..48 => format!("{hours} hours old"),
        hours => format!("{} days old", hours / 24),
    }
}

/// The set's files as they last were complete, unpacked once more into a folder that is not there yet.
pub fn unpacked_again(set: &Set, mirror: &str, folder: &Path) -> Result<Unpacked> {
    let cache = paths::cache()?.join(&set.name);
    let _lock = paths::lock(&cache)?;
    let apt = Apt::open(&cache, set, mirror)?;
    let store = Store { folder: cache, apt };
    let packages = store.remembered()?;
    fs::create_dir_all(folder)?;
    store.fill(&packages, folder, |_| {})?;
    Ok(Unpacked {
        root: folder.to_owned(),
        id: store.place(&packages).0,
    })
}

/// The set's part of the cache folder.
struct Store {
    folder: PathBuf,
    apt: Apt,
}

impl Store {
    fn current(&self, set: &Set) -> Result<Unpacked> {
        let fetched = self.fetched(set);
        let packages = fetched.with_context(|| NotFetched(set.name.clone()))?;
        let unpacked = self.unpack(set, &packages)?;
        fs::write(self.memory(), serde_json::to_string_pretty(&packages)?)?;
        self.forget(&packages, &unpacked)?;
        Ok(unpacked)
    }

    /// The packages as the mirror has them today; each is in the archive, or unpacked already.
    fn fetched(&self, set: &Set) -> Result<Vec<Package>> {
        let fresh = self.index_age().is_some_and(|age| age < CURRENT);
        let mut packages = if fresh {
            self.apt.plan(&set.packages)?
        } else {
            self.updated(set)?
        };
        if let Err(error) = self.fetch(set, &packages) {
            if !fresh {
                return Err(error);
            }
            packages = self.updated(set)?; // The suite has moved on since, and the mirror keeps one version.
            self.fetch(set, &packages)?;
        }
        Ok(packages)
    }

    /// The set as it was when it last was complete.
    fn earlier(&self) -> Result<Unpacked> {
        let (id, root) = self.place(&self.remembered()?);
        ensure!(root.is_dir(), "{} is missing", root.display());
        Ok(Unpacked { root, id })
    }

    /// The packages that were last complete.
    fn remembered(&self) -> Result<Vec<Package>> {
        Ok(serde_json::from_slice(&fs::read(self.memory())?)?)
    }

    /// Since the index was fetched from this mirror.
    fn index_age(&self) -> Option<Duration> {
        let ours = changed(&self.apt.sources())? <= changed(&self.stamp())?;
        ours.then(|| self.cached_for())?
    }

    /// Since the index was fetched, from whichever mirror.
    fn cached_for(&self) -> Option<Duration> {
        let fetched = changed(&self.stamp())?;
        SystemTime::now().duration_since(fetched).ok()
    }

    /// The packages by the mirror's index of now.
    fn updated(&self, set: &Set) -> Result<Vec<Package>> {
        let step = Step::spinner(&format!("{}: asking the mirror for its packages", set.name));
        self.apt.update()?;
        fs::write(self.stamp(), "")?;
        let packages = self.apt.plan(&set.packages)?;
        step.done(&format!("{}: the mirror's index is current", set.name));
        Ok(packages)
    }

    fn fetch(&self, set: &Set, packages: &[Package]) -> Result<()> {
        let missing: Vec<&Package> = packages
            .iter()
            .filter(|package| !self.is_there(package))
            .collect();
        let (_, root) = self.place(packages);
        if missing.is_empty() || root.is_dir() {
            return Ok(());
        }
        let bytes: u64 = missing.iter().map(|package| package.size).sum();
        let mebibytes = bytes.div_ceil(1 << 20);
        let what = format!("{}: {} packages, {mebibytes} MiB", set.name, missing.len());
        let step = Step::counted(&format!("{what}: fetching"), 100);
        let progress = |percentage| step.set(percentage);
        self.apt.download(&set.packages, progress)?;
        step.done(&format!("{what}: fetched"));
        Ok(())
    }

    fn unpack(&self, set: &Set, packages: &[Package]) -> Result<Unpacked> {
        let (id, root) = self.place(packages);
        if root.is_dir() {
            return Ok(Unpacked { root, id });
        }
        let total = packages.iter().map(|package| package.size).sum();
        let step = Step::bytes(&format!("{}: unpacking", set.name), total);
        let aside = tempfile::Builder::new()
            .prefix(".unpacking-")
            .tempdir_in(&self.folder)?;
        self.fill(packages, aside.path(), |done| step.set(done))?;
        fs::rename(aside.keep(), &root).with_context(|| format!("rename to {}", root.display()))?;
        let count = packages.len();
        step.done(&format!(
            "{}: {count} packages checked and unpacked",
            set.name
        ));
        Ok(Unpacked { root, id })
    }

    /// Unpacks them; `progress` is told how many of their bytes are done.
    fn fill(&self, packages: &[Package], folder: &Path, progress: impl Fn(u64)) -> Result<()> {
        let (mut done, mut brought) = (0, BTreeMap::new());
        for package in packages {
            let path = self.archives().join(&package.file);
            verify(&path, &package.sha256)?;
            brought.insert(package.file.clone(), unpack::package(&path, folder)?);
            done += package.size;
            progress(done);
        }
        unpack::index_modules(folder)?;
        fs::write(folder.join(CONTENTS), serde_json::to_string(&brought)?)?;
        Ok(())
    }

    /// Removes what no set has needed for a while. Another process may still read what it began with.
    fn forget(&self, packages: &[Package], unpacked: &Unpacked) -> Result<()> {
        let needed = |name: &str| {
            packages.iter().any(|package| package.file == name) || name.ends_with(&unpacked.id)
        };
        for directory in [&self.folder, &self.archives()] {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let ours =
                    name.ends_with(".deb") || OURS.iter().any(|prefix| name.starts_with(prefix));
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

    fn is_there(&self, package: &Package) -> bool {
        let path = self.archives().join(&package.file);
        fs::metadata(path).is_ok_and(|file| file.len() == package.size)
    }

    fn archives(&self) -> PathBuf {
        self.folder.join("archives")
    }

    /// The packages that were last complete.
    fn memory(&self) -> PathBuf {
        self.folder.join("packages.json")
    }

    /// Its time of change is the index's.
    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn verify(path: &Path, sha256: &str) -> Result<()> {
    let mut file = fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest)?;
    if format!("{:x}", digest.finalize()) != sha256 {
        let _ = fs::remove_file(path); // So that the next run fetches it anew.
        let path = path.display();
        bail!("{path} is not what the mirror's signed index describes: removed, try again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_a_strict_run_takes_no_old_set_from_the_cache() {
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 60 * 60));
        for age in [days(0), days(3), days(4), days(400), None] {
            assert_eq!(too_old(age, false), None);
        }
        assert_eq!(too_old(days(0), true), None);
        assert_eq!(too_old(days(3), true), None);
        assert!(too_old(days(4), true).unwrap().contains("4 days old"));
        assert!(too_old(None, true).unwrap().contains("unknown age"));
    }

    #[test]
    fn a_changed_package_is_refused_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.deb");
        fs::write(&path, "abc").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&path, digest).unwrap();
        let refused = verify(&path, "00").unwrap_err().to_string();
        assert!(refused.contains("signed index"));
        assert!(!path.exists());
    }
}
