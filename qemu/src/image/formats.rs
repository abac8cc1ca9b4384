//! A tree as a file: a disk, an initramfs, a tar archive. Owner and group are root in each.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use cpio::newc::{self, ModeFileType};
use tar::EntryType;

use super::{
    Format, file_systems,
    oci::{self, Layer},
    tree::{Content, Entry, Tree},
};

/// As `docker load` names the container image.
const NAME: &str = "dockerlaunch:latest";

/// zstd's: half a second more than the fastest, a tenth smaller.
const COMPRESSION: &str = "-3";

/// Writes the tree to `path`; `aside` is a folder on the same file system for what lies about meanwhile.
pub fn write(
    tree: &Tree,
    format: Format,
    path: &Path,
    aside: &Path,
) -> Result<Option<(String, Vec<Layer>)>> {
    match format {
        Format::Disk => file_systems::ext4(tree, path, &aside.join("stage"))?,
        Format::Erofs => file_systems::erofs(tree, path, &aside.join("stage"))?,
        Format::Squashfs => file_systems::squashfs(tree, path, &aside.join("stage"))?,
        Format::Initramfs => compressed(tree, path)?,
        Format::Tar => {
            let mut writer = BufWriter::new(File::create(path)?);
            archive(tree.iter(), &mut writer)?;
            writer.flush()?;
        }
        Format::Oci => return oci::write(tree, NAME, path, aside).map(Some),
    }
    Ok(None)
}

/// The initramfs through zstd(1): to compile it from its C takes longer than all the rest of the harness.
fn compressed(tree: &Tree, path: &Path) -> Result<()> {
    let mut zstd = Command::new("zstd")
        .args(["-q", "-T2", COMPRESSION])
        .stdin(Stdio::piped())
        .stdout(File::create(path)?)
        .spawn()
        .context("start zstd")?;
    let mut writer = BufWriter::new(zstd.stdin.take().expect("it is piped"));
    let written = initramfs(tree, &mut writer).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    let status = zstd.wait()?;
    ensure!(status.success(), "zstd: {status}");
    written
}

fn initramfs(tree: &Tree, mut writer: impl Write) -> Result<()> {
    for (number, (at, entry)) in tree.iter().enumerate() {
        let kind = match entry.content {
            Content::Directory => ModeFileType::Directory,
            Content::Link(_) => ModeFileType::Symlink,
            Content::File(_) | Content::Joined(_) | Content::Bytes(_) => ModeFileType::Regular,
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
        std::io::copy(&mut reader(entry)?, &mut file).with_context(|| format!("write {at}"))?;
        writer = file.finish()?;
    }
    newc::trailer(writer)?;
    Ok(())
}

/// A tar archive of these entries.
pub fn archive<'e>(
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
            Content::File(_) | Content::Joined(_) | Content::Bytes(_) => {
                header.set_entry_type(EntryType::Regular);
            }
        }
        builder
            .append_data(&mut header, at, reader(entry)?)
            .with_context(|| format!("write {at}"))?;
    }
    builder.finish()?;
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    ensure!(!path.is_dir(), "{} is a directory", path.display());
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// What stands in an archive behind the header.
pub(super) fn reader(entry: &Entry) -> Result<Box<dyn Read + '_>> {
    Ok(match &entry.content {
        Content::File(path) => open(path)?,
        Content::Joined(paths) => {
            let none: Box<dyn Read> = Box::new(std::io::empty());
            paths.iter().try_fold(none, |before, path| {
                anyhow::Ok(Box::new(before.chain(open(path)?)) as Box<dyn Read>)
            })?
        }
        Content::Bytes(bytes) => Box::new(bytes.as_slice()),
        Content::Link(to) => Box::new(to.as_bytes()),
        Content::Directory => Box::new(std::io::empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::table::Group;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.put("usr/bin/x", Entry::bytes(Group::Extra, 0o755, "abc"));
        tree.put("bin", Entry::link(Group::Extra, "usr/bin"));
        tree
    }

    #[test]
    fn an_archive_holds_every_entry_as_roots() {
        let mut bytes = Vec::new();
        archive(tree().iter(), &mut bytes).unwrap();
        let mut seen = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            seen.push((
                entry.path().unwrap().display().to_string(),
                header.mode().unwrap(),
                header.uid().unwrap(),
                entry.size(),
            ));
        }
        let expected = [
            ("bin", 0o777, 0),
            ("usr", 0o755, 0),
            ("usr/bin", 0o755, 0),
            ("usr/bin/x", 0o755, 3),
        ];
        assert_eq!(
            seen,
            expected.map(|(path, mode, size)| (path.to_owned(), mode, 0, size))
        );
    }

    #[test]
    fn an_initramfs_holds_every_entry() {
        let mut bytes = Vec::new();
        initramfs(&tree(), &mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            seen.push((
                reader.entry().name().to_owned(),
                reader.entry().mode(),
                reader.entry().file_size(),
            ));
            rest = reader.finish().unwrap();
        }
        let expected = [
            ("bin", 0o120_777, 7),
            ("usr", 0o040_755, 0),
            ("usr/bin", 0o040_755, 0),
            ("usr/bin/x", 0o100_755, 3),
        ];
        assert_eq!(
            seen,
            expected.map(|(path, mode, size)| (path.to_owned(), mode, size))
        );
    }
}
