//! Debian packages without installing them: a set of names becomes a folder with their files, in the user's cache.
//!
//! apt checks what it fetches against the mirror's signed index; each package is checked again when it is unpacked. A set that
//! cannot be brought up to date is used as it is in the cache, with a note of its age; a strict run takes only a recent one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::{
    age::{CURRENT, told, too_old},
    apt::{Apt, Package},
    set::{CONTENTS, NotFetched, Set, Unpacked},
    unpack,
};
use crate::host::{notes::note, paths, progress::Step, strict};

/// How long the files of an older set are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Folders that are made of packages: unpacked, a compiler's prefix, and what an interrupted run left.
const OURS: &[&str] = &["root-", "prefix-", ".unpacking-"];

/// The set's files: today's, or those in the cache if the mirror does not answer.
pub fn unpacked(set: &Set, mirror: &str) -> Result<Unpacked> {
    let store = Store::open(set, mirror)?;
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
            note(format!(
                "{}: using the packages in the cache, whose index is {}: {error:#}",
                set.name,
                told(age)
            ));
            Ok(earlier)
        }
        Err(error) => Err(error),
    }
}

/// The set's files as they were when it was last complete, unpacked again into a new folder.
pub(super) fn unpacked_again(set: &Set, mirror: &str, folder: &Path) -> Result<Unpacked> {
    let store = Store::open(set, mirror)?;
    let packages = store.remembered()?;
    fs::create_dir_all(folder)?;
    store.fill(&packages, folder, |_| {})?;
    Ok(Unpacked {
        root: folder.to_owned(),
        id: store.place(&packages).0,
    })
}

/// The set's part of the cache folder, locked.
struct Store {
    folder: PathBuf,
    apt: Apt,
    _lock: fs::File,
}

impl Store {
    fn open(set: &Set, mirror: &str) -> Result<Self> {
        let folder = paths::cache()?.join(&set.name);
        let lock = paths::lock(&folder)?;
        let apt = Apt::open(&folder, set, mirror)?;
        Ok(Self {
            folder,
            apt,
            _lock: lock,
        })
    }

    fn current(&self, set: &Set) -> Result<Unpacked> {
        let fetched = self.fetched(set);
        let packages = fetched.with_context(|| NotFetched(set.name.clone()))?;
        let unpacked = self.unpack(set, &packages)?;
        fs::write(self.memory(), serde_json::to_string_pretty(&packages)?)?;
        self.forget(&packages, &unpacked)?;
        Ok(unpacked)
    }

    /// The packages as the mirror has them today; each is fetched, or unpacked already.
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
            packages = self.updated(set)?; // A newer version has replaced the one in the index.
            self.fetch(set, &packages)?;
        }
        Ok(packages)
    }

    /// The set as it was when it was last complete.
    fn earlier(&self) -> Result<Unpacked> {
        let (id, root) = self.place(&self.remembered()?);
        ensure!(root.is_dir(), "{} is missing", root.display());
        Ok(Unpacked { root, id })
    }

    /// The packages of the set when it was last complete.
    fn remembered(&self) -> Result<Vec<Package>> {
        Ok(serde_json::from_slice(&fs::read(self.memory())?)?)
    }

    /// The age of the index, if it is this mirror's.
    fn index_age(&self) -> Option<Duration> {
        let ours = modified(&self.apt.sources())? <= modified(&self.stamp())?;
        ours.then(|| self.cached_for())?
    }

    /// The age of the index, from whichever mirror.
    fn cached_for(&self) -> Option<Duration> {
        let fetched = modified(&self.stamp())?;
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

    /// Unpacks them; `progress` gets the number of bytes that are done.
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

    /// Removes files that this set no longer needs, a week later: another process may still read them.
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

    /// Holds the packages of the set when it was last complete.
    fn memory(&self) -> PathBuf {
        self.folder.join("packages.json")
    }

    /// Its time of modification is the index's.
    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
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
