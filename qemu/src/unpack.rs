//! A package's files into a folder, without dpkg's scripts.
//!
//! Suites differ in where things lie (`/lib` or `/usr/lib`); here everything lies below /usr, so one table of files serves
//! them all. What only people read is left out. The kernel's modules get the index that a package's script would make.

use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use tar::{Archive, Entry, EntryType};

use crate::{host, run};

/// Raised when what this file makes of a package changes, so that an older result is not used.
pub const LAYOUT: u32 = 1;

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

/// Unpacks the package over what is in `root` already.
pub fn package(package: &Path, root: &Path) -> Result<()> {
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
        put(&mut entry.with_context(about)?, root).with_context(about)?;
    }
    let status = child.wait()?;
    ensure!(
        status.success(),
        "dpkg-deb --fsys-tarfile {}: {status}",
        package.display()
    );
    Ok(())
}

/// Makes the index of every kernel's modules (depmod), once all packages of a kernel are there.
pub fn index_modules(root: &Path) -> Result<()> {
    let modules = root.join("usr/lib/modules");
    if !modules.is_dir() {
        return Ok(());
    }
    for version in fs::read_dir(modules)? {
        run::output(host::depmod(&root.join("usr")).arg(version?.file_name()))?;
    }
    Ok(())
}

fn put(entry: &mut Entry<'_, impl Read>, root: &Path) -> Result<()> {
    let Some(path) = merged(&entry.path()?)? else {
        return Ok(());
    };
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

fn link(entry: &Entry<'_, impl Read>) -> Result<PathBuf> {
    Ok(entry
        .link_name()?
        .context("a link without a target")?
        .into_owned())
}

/// Where a path of a package lies with a merged /usr; none if it is left out.
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
    let links = names.len() == 1 && MERGED.contains(&names[0]); // They are made at boot.
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
    fn everything_lies_below_usr() {
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
}
