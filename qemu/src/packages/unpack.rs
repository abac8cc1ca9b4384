//! Unpacks a package's files into a folder, without dpkg's scripts.
//!
//! Some suites have files below /lib, others below /usr/lib; here all are below /usr, so that one table of files serves every
//! suite. Documentation and translations are left out. depmod makes the index of the kernel's modules, as a package's script would.
//!
//! Modules that a package has compressed are decompressed here, so that no boot does it. An image that is compressed as a whole
//! (erofs, squashfs, an initramfs) stays small. A module's signature is a part of the decompressed file, and stays valid.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    mem,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tar::{Archive, Entry, EntryType};

use crate::host::tools;

/// To be increased when this file's result changes, so that an older result is not used.
pub const LAYOUT: u32 = 4;

/// Top-level folders that are links into /usr on a merged system.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

/// For people, not for programs.
const LEFT_OUT: &[&str] = &[
    "doc",
    "man",
    "info",
    "locale",
    "lintian",
    "bash-completion",
    "zsh",
    "fish",
];

/// What a package brings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Brought {
    /// Paths below the root, links too.
    pub files: BTreeSet<String>,
    /// Debian's short names of licences, from its copyright file.
    pub licences: BTreeSet<String>,
    /// The whole copyright file, if it is not in the format that names them.
    pub copyright: Option<String>,
    /// Another package, whose documents (and copyright file) are this one's as well.
    pub documents: Option<String>,
}

/// Unpacks the package into `root`, over what is there.
pub fn package(package: &Path, root: &Path) -> Result<Brought> {
    let mut brought = Brought::default();
    let about = || format!("unpack {}", package.display());
    let mut command = Command::new("dpkg-deb");
    command
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("start dpkg-deb")?;
    let mut archive = Archive::new(child.stdout.take().expect("it is piped"));
    for entry in archive.entries()? {
        put(&mut entry.with_context(about)?, root, &mut brought).with_context(about)?;
    }
    let status = child.wait()?;
    ensure!(
        status.success(),
        "dpkg-deb --fsys-tarfile {}: {status}",
        package.display()
    );
    decompress_modules(root, &mut brought).with_context(about)?;
    Ok(brought)
}

/// All of them in one run of xz(1): a thousand files take three seconds.
fn decompress_modules(root: &Path, brought: &mut Brought) -> Result<()> {
    let all = mem::take(&mut brought.files).into_iter();
    let (compressed, others): (BTreeSet<_>, _) = all.partition(|file| file.ends_with(".ko.xz"));
    brought.files = others;
    if compressed.is_empty() {
        return Ok(());
    }
    let mut xz = Command::new("xz");
    tools::run(xz.current_dir(root).args(["-d", "--"]).args(&compressed))?;
    let plain = compressed
        .iter()
        .filter_map(|file| file.strip_suffix(".xz"));
    brought.files.extend(plain.map(str::to_owned));
    Ok(())
}

/// Makes the index of every kernel's modules (depmod), once all packages of a kernel are there.
pub fn index_modules(root: &Path) -> Result<()> {
    let modules = root.join("usr/lib/modules");
    if !modules.is_dir() {
        return Ok(());
    }
    for version in fs::read_dir(modules)? {
        tools::run(tools::depmod(&root.join("usr")).arg(version?.file_name()))?;
    }
    Ok(())
}

fn put(entry: &mut Entry<'_, impl Read>, root: &Path, brought: &mut Brought) -> Result<()> {
    let Some(path) = merged(&entry.path()?)? else {
        return read_copyright(entry, brought);
    };
    if !entry.header().entry_type().is_dir() {
        brought.files.insert(path.display().to_string());
    }
    let at = root.join(&path);
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    match entry.header().entry_type() {
        EntryType::Directory => fs::create_dir_all(&at)?,
        EntryType::Regular => {
            let mode = entry.header().mode()? & 0o777;
            std::io::copy(entry, &mut fs::File::create(&at)?)?;
            fs::set_permissions(&at, fs::Permissions::from_mode(mode))?;
        }
        EntryType::Symlink => symlink(link(entry)?, &at)?,
        EntryType::Link => match merged(&link(entry)?)? {
            Some(target) => fs::hard_link(root.join(target), &at)?,
            None => bail!("{} is a link to a file that is left out", path.display()),
        },
        kind => bail!("{}: a package's file of kind {kind:?}", path.display()),
    }
    Ok(())
}

/// usr/share/doc/PACKAGE/copyright; or that folder is a link to another package's.
fn read_copyright(entry: &mut Entry<'_, impl Read>, brought: &mut Brought) -> Result<()> {
    let path = entry.path()?.display().to_string();
    let Some(document) = path.trim_start_matches("./").strip_prefix("usr/share/doc/") else {
        return Ok(());
    };
    match (entry.header().entry_type(), document.split_once('/')) {
        (EntryType::Symlink, None) => brought.documents = Some(link(entry)?.display().to_string()),
        (EntryType::Regular, Some((_, "copyright"))) => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            match licences(&text) {
                Some(licences) => brought.licences = licences,
                None => brought.copyright = Some(text),
            }
        }
        _ => {}
    }
    Ok(())
}

/// The `License:` fields of Debian's copyright format 1.0; none if the file has another format.
fn licences(text: &str) -> Option<BTreeSet<String>> {
    text.trim_start().strip_prefix("Format")?;
    let fields = text
        .lines()
        .filter_map(|line| line.strip_prefix("License:"));
    let names = fields.map(|field| field.split_whitespace().collect::<Vec<_>>().join(" "));
    let names: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then_some(names)
}

fn link(entry: &Entry<'_, impl Read>) -> Result<PathBuf> {
    Ok(entry
        .link_name()?
        .context("a link without a target")?
        .into_owned())
}

/// A package's path with a merged /usr; none if it is left out.
fn merged(path: &Path) -> Result<Option<PathBuf>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(
                name.to_str()
                    .with_context(|| format!("{} is not UTF-8", path.display()))?,
            ),
            Component::CurDir => {}
            _ => bail!("a package's path leaves its root: {}", path.display()),
        }
    }
    let links = names.len() == 1 && MERGED.contains(&names[0]); // dockerlaunch makes them at boot.
    if names.first().is_some_and(|first| MERGED.contains(first)) {
        names.insert(0, "usr");
    }
    let left_out = names.is_empty()
        || links
        || (names.starts_with(&["usr", "share"])
            && names.get(2).is_some_and(|name| LEFT_OUT.contains(name)));
    Ok((!left_out).then(|| names.iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_below_usr() {
        let merged = |path: &str| {
            merged(Path::new(path)).map(|path| path.map(|path| path.display().to_string()))
        };
        assert_eq!(
            merged("./lib/modules/6.1/a.ko").unwrap().as_deref(),
            Some("usr/lib/modules/6.1/a.ko")
        );
        assert_eq!(
            merged("./usr/lib/modules").unwrap().as_deref(),
            Some("usr/lib/modules")
        );
        assert_eq!(
            merged("./boot/vmlinuz").unwrap().as_deref(),
            Some("boot/vmlinuz")
        );
        assert_eq!(merged("./").unwrap(), None);
        assert_eq!(merged("./bin").unwrap(), None);
        assert_eq!(merged("./usr/share/doc/git/README").unwrap(), None);
        assert_eq!(
            merged("./usr/share/git-core").unwrap().as_deref(),
            Some("usr/share/git-core")
        );
        assert!(merged("./../etc/passwd").is_err());
        assert!(merged("/etc/passwd").is_err());
    }

    #[test]
    fn a_compressed_module_is_decompressed_and_keeps_its_signature() {
        let root = tempfile::tempdir().unwrap();
        let module = [&[0, 1, 255][..], b"~Module signature appended~\n"].concat();
        let names = ["a/x.ko", "a/y.ko", "a/z.xz"];
        fs::create_dir(root.path().join("a")).unwrap();
        for name in names {
            fs::write(root.path().join(name), &module).unwrap();
        }
        tools::run(Command::new("xz").arg(root.path().join(names[0]))).unwrap();
        let files = ["a/x.ko.xz", names[1], names[2]].map(str::to_owned);
        let mut brought = Brought {
            files: files.into(),
            ..Brought::default()
        };
        decompress_modules(root.path(), &mut brought).unwrap();
        assert!(brought.files.iter().eq(&names));
        for name in names {
            assert_eq!(fs::read(root.path().join(name)).unwrap(), module, "{name}");
        }
    }

    #[test]
    fn licences_are_read_from_the_format_that_names_them() {
        let named = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
                     Files: *\nLicense: GPL-2+ with  X exception\n text\n\nFiles: b\nLicense: Expat\n";
        let names = licences(named).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(names, ["Expat", "GPL-2+ with X exception"]);
        assert_eq!(licences("It is packaged.\n\nLicense: GPL\n"), None);
        assert_eq!(licences("Format: 1.0\n\nFiles: *\nLicense:\n text\n"), None);
    }
}
