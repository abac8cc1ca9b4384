//! Owners, modes, places, links, libraries: what must hold of every entry.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::{
    archive::{Archive, Content},
    world::World,
};

/// Modes other than 755, or 644 for a file that is no program.
const MODES: &[(&str, u32)] = &[
    ("proc", 0o555),
    ("root", 0o700),
    ("sys", 0o555),
    ("tmp", 0o1777),
];

/// The root folder: usr, mount points, and links into usr.
const TOP: &[&str] = &[
    "bin", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var",
];

/// Files of packages for people, for compilers and for dpkg.
const LEFTOVERS: &[&str] = &[
    "usr/include/",
    "usr/lib/dpkg/",
    "usr/share/applications/",
    "usr/share/bug/",
    "usr/share/doc/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/src/",
    "usr/var/",
];

/// Libraries that nothing is linked with: glibc opens this one when a thread is cancelled.
const OPENED: &[&str] = &["libgcc_s.so.1"];

const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu/";

pub(super) fn owners_and_modes(world: &World) -> Result<()> {
    for archive in world.archives() {
        for (path, entry) in &archive.entries {
            ensure!(entry.owner == (0, 0), "{path} belongs to {:?}", entry.owner);
            let special = MODES.iter().find(|(place, _)| place == path);
            let allowed: &[u32] = match (&entry.content, special) {
                (_, Some((_, mode))) => &[*mode],
                (Content::Link(_), None) => &[0o777],
                (Content::Directory, None) => &[0o755],
                (Content::File(_), None) => &[0o644, 0o755],
            };
            ensure!(allowed.contains(&entry.mode), "{path} is {:o}", entry.mode);
        }
        for (place, _) in MODES {
            ensure!(archive.entries.contains_key(*place), "no {place}");
        }
    }
    Ok(())
}

pub(super) fn places(world: &World) -> Result<()> {
    for archive in world.archives() {
        for (path, entry) in &archive.entries {
            let (top, below) = path.split_once('/').unwrap_or((path, ""));
            ensure!(TOP.contains(&top), "{path} is no place of an image");
            let empty = below.is_empty() && !matches!(entry.content, Content::File(_));
            ensure!(top == "usr" || empty, "{path} does not lie below usr");
            let leftover = LEFTOVERS.iter().any(|place| path.starts_with(place));
            ensure!(!leftover, "{path} is a package's leftover");
        }
    }
    Ok(())
}

/// Each link leads to something in the image, also after usr/etc is copied to etc.
pub(super) fn links(world: &World) -> Result<()> {
    for archive in world.archives() {
        for (path, entry) in &archive.entries {
            let Content::Link(target) = &entry.content else {
                continue;
            };
            let from = match path.strip_prefix("usr/etc/") {
                Some(rest) => format!("etc/{rest}"),
                None => path.clone(),
            };
            let place = followed(&from, target).with_context(|| format!("{path} -> {target}"))?;
            ensure!(
                archive.entries.contains_key(&place),
                "{path} leads to {place}, and nothing is there"
            );
        }
    }
    Ok(())
}

/// The target of a link; an absolute one begins at the root.
fn followed(path: &str, target: &str) -> Result<String> {
    let mut names: Vec<&str> = path.split('/').collect();
    names.pop();
    if target.starts_with('/') {
        names.clear();
    }
    for name in target.split('/').filter(|name| !matches!(*name, "" | ".")) {
        if name == ".." {
            names.pop().context("it leaves the image")?;
        } else {
            names.push(name);
        }
    }
    Ok(names.join("/"))
}

/// Every library that a program or a library is linked with is there, and no other.
pub(super) fn libraries(world: &World) -> Result<()> {
    for archive in world.archives() {
        let mut open: Vec<&str> = programs(archive).chain(OPENED.iter().copied()).collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = open.pop() {
            let name = name.rsplit('/').next().unwrap_or(name);
            if !reached.insert(name) {
                continue;
            }
            let place =
                [LIBRARIES, "usr/lib64/", "usr/lib/"].map(|folder| format!("{folder}{name}"));
            let found = place.iter().find_map(|place| archive.entries.get(place));
            let found = found.with_context(|| format!("no library {name}"))?;
            if let Content::File(wanted) = &found.content {
                open.extend(wanted.iter().map(String::as_str));
            }
        }
        let files = archive.entries.iter();
        let files = files.filter(|(_, entry)| !matches!(entry.content, Content::Directory));
        for (path, _) in files {
            if let Some(name) = library(path) {
                ensure!(reached.contains(name), "nothing is linked with {name}");
            }
        }
    }
    Ok(())
}

/// A library's name, if the path is in the folder of libraries.
fn library(path: &str) -> Option<&str> {
    let name = path.strip_prefix(LIBRARIES)?;
    (!name.contains('/')).then_some(name)
}

/// The libraries that all other files are linked with.
fn programs(archive: &Archive) -> impl Iterator<Item = &str> {
    let others = archive
        .entries
        .iter()
        .filter(|(path, _)| library(path).is_none());
    others.flat_map(|(_, entry)| match &entry.content {
        Content::File(wanted) => wanted.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed() {
        assert_eq!(
            followed("usr/bin/sh", "busybox").unwrap(),
            "usr/bin/busybox"
        );
        assert_eq!(followed("usr/bin/sh", "/x/y").unwrap(), "x/y");
        assert_eq!(followed("usr/a/b", "../c").unwrap(), "usr/c");
        assert!(followed("a", "../../c").is_err());
    }
}
