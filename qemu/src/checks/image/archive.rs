//! An archive, read back: its entries, and what its programs are linked with.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use goblin::elf::Elf;
use tar::EntryType;

pub(super) struct Archive {
    pub(super) file: PathBuf,
    /// By path, without a slash at either end.
    pub(super) entries: BTreeMap<String, Entry>,
}

pub(super) struct Entry {
    pub(super) owner: (u64, u64),
    pub(super) mode: u32,
    pub(super) content: Content,
}

pub(super) enum Content {
    Directory,
    Link(String),
    /// With what an ELF file names: its interpreter and libraries.
    File(Vec<String>),
}

impl Archive {
    pub(super) fn read(file: PathBuf) -> Result<Self> {
        let mut entries = BTreeMap::new();
        let mut archive = tar::Archive::new(BufReader::new(File::open(&file)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.display().to_string();
            let content = match entry.header().entry_type() {
                EntryType::Directory => Content::Directory,
                EntryType::Symlink => {
                    let target = entry.link_name()?.context("a link without a target")?;
                    Content::Link(target.display().to_string())
                }
                EntryType::Regular => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    Content::File(wanted(&bytes).with_context(|| format!("read {path}"))?)
                }
                kind => bail!("{path} is of kind {kind:?}"),
            };
            let header = entry.header();
            let entry = Entry {
                owner: (header.uid()?, header.gid()?),
                mode: header.mode()?,
                content,
            };
            let path = path.trim_end_matches('/').to_owned();
            if entries.insert(path.clone(), entry).is_some() {
                bail!("{path} is there twice in {}", file.display());
            }
        }
        Ok(Self { file, entries })
    }

    /// The content of the file at this path.
    pub(super) fn bytes(&self, place: &str) -> Result<Vec<u8>> {
        let mut archive = tar::Archive::new(BufReader::new(File::open(&self.file)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path()?.to_str() == Some(place) {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                return Ok(bytes);
            }
        }
        bail!("{} has no {place}", self.file.display());
    }
}

fn wanted(bytes: &[u8]) -> Result<Vec<String>> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(Vec::new());
    }
    let elf = Elf::parse(bytes)?;
    let names = elf.interpreter.iter().chain(&elf.libraries);
    Ok(names.map(|name| (*name).to_owned()).collect())
}
