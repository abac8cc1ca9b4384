//! The files of an image before they are written in a format: what is at which path.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufReader, Read, empty},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::groups::Group;

/// Bytes by group.
pub type Sizes = BTreeMap<Group, u64>;

#[derive(Clone, Debug)]
pub struct Entry {
    pub group: Group,
    /// Permission bits. Everything belongs to root.
    pub mode: u32,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Directory,
    /// Copied from here, links followed.
    File(PathBuf),
    /// This many bytes from the start of that file.
    Start(PathBuf, u64),
    /// These files, one after the other.
    Joined(Vec<PathBuf>),
    Bytes(Vec<u8>),
    Link(String),
}

/// Paths without a leading slash, parents before what they hold.
#[derive(Default)]
pub struct Tree(BTreeMap<String, Entry>);

impl Entry {
    pub fn directory(group: Group, mode: u32) -> Self {
        Self {
            group,
            mode,
            content: Content::Directory,
        }
    }

    pub fn link(group: Group, to: &str) -> Self {
        Self {
            group,
            mode: 0o777,
            content: Content::Link(to.to_owned()),
        }
    }

    pub fn bytes(group: Group, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            group,
            mode,
            content: Content::Bytes(bytes.into()),
        }
    }

    pub fn joined(group: Group, paths: Vec<PathBuf>) -> Self {
        Self {
            group,
            mode: 0o644,
            content: Content::Joined(paths),
        }
    }

    /// A file with its own executable bits.
    pub fn file(group: Group, path: PathBuf) -> Result<Self> {
        let permissions = fs::metadata(&path)
            .with_context(|| format!("read {}", path.display()))?
            .permissions();
        let mode = if permissions.mode() & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        Ok(Self {
            group,
            mode,
            content: Content::File(path),
        })
    }
}

impl Entry {
    pub fn size(&self) -> Result<u64> {
        self.content.size()
    }
}

impl Content {
    pub fn size(&self) -> Result<u64> {
        Ok(match self {
            Self::File(path) => length(path)?,
            Self::Start(_, length) => *length,
            Self::Joined(paths) => paths.iter().map(|path| length(path)).sum::<Result<u64>>()?,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Link(_) | Self::Directory => 0,
        })
    }

    /// What follows its header in an archive.
    pub fn reader(&self) -> Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::File(path) => open(path)?,
            Self::Start(path, length) => Box::new(open(path)?.take(*length)),
            Self::Joined(paths) => {
                let none: Box<dyn Read> = Box::new(empty());
                paths.iter().try_fold(none, |before, path| {
                    anyhow::Ok(Box::new(before.chain(open(path)?)) as Box<dyn Read>)
                })?
            }
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::Link(to) => Box::new(to.as_bytes()),
            Self::Directory => Box::new(empty()),
        })
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    ensure!(!path.is_dir(), "{} is a directory", path.display());
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

fn length(path: &Path) -> Result<u64> {
    let file = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
    Ok(file.len())
}

impl Tree {
    /// Puts the entry there, replacing what was there, and makes the folders above it.
    pub fn put(&mut self, path: &str, entry: Entry) {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in folders {
            if !self.0.contains_key(folder) {
                self.0
                    .insert(folder.to_owned(), Entry::directory(entry.group, 0o755));
            }
        }
        self.0.insert(path.to_owned(), entry);
    }

    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The size of the file there; 0 if there is none.
    pub fn size(&self, path: &str) -> u64 {
        let entry = self.0.get(path);
        entry
            .and_then(|entry| entry.content.size().ok())
            .unwrap_or_default()
    }

    /// The content of a file that was made here.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        match &self.0.get(path)?.content {
            Content::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The groups of all entries.
    pub fn groups(&self) -> BTreeSet<Group> {
        self.0.values().map(|entry| entry.group).collect()
    }

    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::new();
        for entry in self.0.values() {
            *sizes.entry(entry.group).or_default() += entry.content.size().unwrap_or_default();
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_their_content() {
        let mut tree = Tree::default();
        tree.put("usr/bin/x", Entry::bytes(Group::Busybox, 0o755, "abc"));
        tree.put("usr", Entry::directory(Group::System, 0o700));
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["usr", "usr/bin", "usr/bin/x"]);
        assert_eq!(tree.sizes().get(&Group::Busybox), Some(&3));
    }
}
