//! The disks of a guest with engines in its containers: the archives of the engines' images in the table's order, then one of a
//! Debian root. The size of an archive is a number of whole sectors, so it can be a disk. (They are virtio disks because since
//! Linux 6.12 several disks of one nvme controller have their names in any order.)

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result};

use super::bench::Bench;
use crate::{
    disks::{Bus, Drive},
    image::{self, Entry, Format, Group, Image},
    packages::suites::Suite,
    scenarios::{Inner, Large, Scenario},
};

/// Nothing here builds from a git URL.
const WITHOUT: &[Group] = &[Group::Git, Group::Ssh];
/// Parts of Debian's root that no check reads.
const UNREAD: &[&str] = &[
    "usr/share",
    "usr/lib/x86_64-linux-gnu/gconv",
    "boot",
    ".packages.json",
];

pub(super) fn drives(scenario: &Scenario, large: &Large, bench: &Bench) -> Result<Vec<Drive>> {
    let mut drives = Vec::new();
    for inner in large.inner {
        drives.push(engine(inner, bench)?);
    }
    if !drives.is_empty() {
        drives.push(debian_root(scenario.suite, bench)?);
    }
    Ok(drives)
}

/// A disk's name in the guest.
pub(super) fn device(number: usize) -> String {
    let letter = char::from_u32('a' as u32 + number as u32).expect("there are a few");
    format!("/dev/vd{letter}")
}

pub(super) fn debian(large: &Large) -> String {
    device(large.inner.len())
}

/// The archive of an engine's image, for `docker load`.
fn engine(inner: &Inner, bench: &Bench) -> Result<Drive> {
    let packages = inner.suite.unpacked(&bench.mirror)?;
    let groups = if inner.smallest {
        Group::SMALLEST.to_vec()
    } else {
        image::kept(Format::Oci.groups(false), WITHOUT)?
    };
    let image = Image {
        name: format!("inner-{}", inner.name),
        packages: &packages,
        more: None,
        program: &bench.program,
        groups: &groups,
        unsigned_modules: false,
        extra: Vec::new(),
        format: Format::Oci,
    };
    Ok(Drive {
        name: inner.name,
        bus: Bus::Virtio,
        ..Drive::root(image.built()?)
    })
}

/// The archive of a Debian root, for `docker import`.
fn debian_root(suite: Suite, bench: &Bench) -> Result<Drive> {
    let packages = suite.root(&bench.mirror)?;
    let mut extra = Vec::new();
    walk(&packages.root, "", &mut extra)?;
    let image = Image {
        name: format!("root-{}", suite.name()),
        packages: &packages,
        more: None,
        program: &bench.program,
        groups: &[Group::Links],
        unsigned_modules: false,
        extra,
        format: Format::Tar,
    };
    Ok(Drive {
        name: "debian",
        bus: Bus::Virtio,
        ..Drive::root(image.built()?)
    })
}

/// Collects everything below the folder.
fn walk(root: &Path, folder: &str, entries: &mut Vec<(String, Entry)>) -> Result<()> {
    let path = root.join(folder);
    for found in fs::read_dir(&path).with_context(|| format!("read {}", path.display()))? {
        let found = found?;
        let name = found.file_name().to_string_lossy().into_owned();
        let at = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        if UNREAD.contains(&at.as_str()) {
            continue;
        }
        let metadata = found.path().symlink_metadata()?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            entries.push((at.clone(), Entry::directory(Group::Extra, mode)));
            walk(root, &at, entries)?;
        } else if metadata.is_symlink() {
            let to = fs::read_link(found.path())?;
            entries.push((at, Entry::link(Group::Extra, &to.to_string_lossy())));
        } else {
            entries.push((at, Entry::file(Group::Extra, found.path())?));
        }
    }
    Ok(())
}
