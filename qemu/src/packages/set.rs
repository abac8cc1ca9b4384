//! A set of packages: before it is fetched, once it is unpacked, and the error if the mirror does not provide it.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use anyhow::{Context, Result};

use super::unpack::Brought;

/// Debian's own public address; `--mirror` and DOCKERLAUNCH_MIRROR name another.
pub const MIRROR: &str = "http://deb.debian.org/debian";

/// What each package brought, by its file's name: a file of the root, in no image.
pub(super) const CONTENTS: &str = ".packages.json";

/// Packages that are fetched and unpacked together.
pub struct Set {
    /// Its folder in the cache.
    pub name: String,
    /// Where apt looks. One that ends in `-security` is in Debian's security archive, beside the mirror.
    pub suites: &'static [&'static str],
    pub packages: Vec<String>,
    /// Dependencies that are left out: apt takes them for installed.
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

/// The set of this name cannot be fetched: the context of such an error, and of no other.
#[derive(Debug)]
pub struct NotFetched(pub String);

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the packages of {} cannot be fetched", self.0)
    }
}
