//! A tree as an archive: a cpio for an initramfs, or a tar. Owner and group are root.

use std::io::Write;

use anyhow::{Context, Result};
use cpio::newc::{self, ModeFileType};
use tar::EntryType;

use super::tree::{Content, Entry, Tree};

/// Writes a cpio archive.
pub fn initramfs(tree: &Tree, mut writer: impl Write) -> Result<()> {
    for (number, (at, entry)) in tree.iter().enumerate() {
        let kind = match entry.content {
            Content::Directory => ModeFileType::Directory,
            Content::Link(_) => ModeFileType::Symlink,
            Content::File(_) | Content::Start(..) | Content::Joined(_) | Content::Bytes(_) => {
                ModeFileType::Regular
            }
        };
        let links = if matches!(entry.content, Content::Directory) {
            2
        } else {
            1
        };
        let header = newc::Builder::new(at)
            .ino(u32::try_from(number)? + 1)
            .mode(entry.mode)
            .nlink(links)
            .set_mode_file_type(kind);
        let size = match &entry.content {
            Content::Link(to) => to.len() as u64,
            content => content.size()?,
        };
        let size =
            u32::try_from(size).with_context(|| format!("{at} is too large for an initramfs"))?;
        let mut file = header.write(writer, size);
        std::io::copy(&mut entry.content.reader()?, &mut file)
            .with_context(|| format!("write {at}"))?;
        writer = file.finish()?;
    }
    newc::trailer(writer)?;
    Ok(())
}

/// Writes a tar archive of these entries.
pub fn tar<'e>(
    entries: impl Iterator<Item = (&'e str, &'e Entry)>,
    writer: impl Write,
) -> Result<()> {
    let mut builder = tar::Builder::new(writer);
    for (at, entry) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.content.size()?);
        match &entry.content {
            Content::Link(to) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, at, to)?;
                continue;
            }
            Content::Directory => header.set_entry_type(EntryType::Directory),
            Content::File(_) | Content::Start(..) | Content::Joined(_) | Content::Bytes(_) => {
                header.set_entry_type(EntryType::Regular);
            }
        }
        builder
            .append_data(&mut header, at, entry.content.reader()?)
            .with_context(|| format!("write {at}"))?;
    }
    builder.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::groups::Group;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.put("usr/bin/x", Entry::bytes(Group::Extra, 0o755, "abc"));
        tree.put("bin", Entry::link(Group::Extra, "usr/bin"));
        tree
    }

    #[test]
    fn a_tar_holds_every_entry_and_root_owns_it() {
        let mut bytes = Vec::new();
        super::tar(tree().iter(), &mut bytes).unwrap();
        let mut seen = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.uid().unwrap(), 0);
            let path = entry.path().unwrap().display().to_string();
            seen.push((path, header.mode().unwrap(), entry.size()));
        }
        assert_eq!(seen, expected([0o777, 0o755, 0o755, 0o755], 0));
    }

    #[test]
    fn an_initramfs_holds_every_entry() {
        let mut bytes = Vec::new();
        initramfs(&tree(), &mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            let entry = reader.entry();
            if entry.is_trailer() {
                break;
            }
            let size = u64::from(entry.file_size());
            seen.push((entry.name().to_owned(), entry.mode(), size));
            rest = reader.finish().unwrap();
        }
        let modes = [0o120_777, 0o040_755, 0o040_755, 0o100_755];
        assert_eq!(seen, expected(modes, "usr/bin".len() as u64));
    }

    /// The entries of `tree`, with these modes and this size of the link.
    fn expected(modes: [u32; 4], link: u64) -> Vec<(String, u32, u64)> {
        let paths = ["bin", "usr", "usr/bin", "usr/bin/x"].map(str::to_owned);
        let entries = paths.into_iter().zip(modes).zip([link, 0, 0, 3]);
        entries
            .map(|((path, mode), size)| (path, mode, size))
            .collect()
    }
}
