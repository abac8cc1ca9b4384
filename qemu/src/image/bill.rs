//! The bill of materials of an image: every Debian package that a file of it comes from and every crate that dockerlaunch is
//! made of, each with its version and licences, as CycloneDX 1.6 JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    table::Group,
    tree::{Content, Entry, Tree},
};
use crate::{packages::Unpacked, paths, run, unpack::Brought};

/// Where it lies in the image.
pub const PLACE: &str = "usr/share/sbom/dockerlaunch.cdx.json";

/// Puts it there, of what is in the tree until now.
pub fn fill(tree: &mut Tree, packages: &Unpacked) -> Result<()> {
    let bill = of(tree, packages)?;
    tree.put(PLACE, Entry::bytes(Group::Bill, 0o644, bill));
    Ok(())
}

fn of(tree: &Tree, packages: &Unpacked) -> Result<String> {
    let contents = packages.contents()?;
    let mut components: Vec<Value> = used(tree, packages, &contents)?
        .into_iter()
        .map(|file| package(file, &contents))
        .collect::<Result<_>>()?;
    components.extend(crates()?);
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": { "type": "container", "name": "dockerlaunch", "version": env!("CARGO_PKG_VERSION") } },
        "components": components,
    });
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// The packages that at least one file of the tree comes from.
fn used<'c>(
    tree: &Tree,
    packages: &Unpacked,
    contents: &'c BTreeMap<String, Brought>,
) -> Result<BTreeSet<&'c str>> {
    let owner: BTreeMap<&str, &str> = contents
        .iter()
        .flat_map(|(package, brought)| {
            brought
                .files
                .iter()
                .map(|file| (file.as_str(), package.as_str()))
        })
        .collect();
    let root = packages.root.canonicalize()?;
    let mut used = BTreeSet::new();
    for (_, entry) in tree.iter() {
        let paths = match &entry.content {
            Content::File(path) => std::slice::from_ref(path),
            Content::Joined(paths) => paths,
            Content::Bytes(_) | Content::Link(_) | Content::Directory => &[],
        };
        for path in paths {
            // dockerlaunch itself, and what a scenario adds, come from elsewhere; modules' indexes are made here.
            if let Ok(path) = path.canonicalize()?.strip_prefix(&root)
                && let Some(package) = path.to_str().and_then(|path| owner.get(path))
            {
                used.insert(*package);
            }
        }
    }
    Ok(used)
}

fn package(file: &str, contents: &BTreeMap<String, Brought>) -> Result<Value> {
    let (name, version) = file
        .split_once('_')
        .and_then(|(name, rest)| Some((name, rest.rsplit_once('_')?.0)))
        .with_context(|| format!("{file} is not NAME_VERSION_ARCHITECTURE.deb"))?;
    let version = version.replace("%3a", ":");
    let mut licences = contents.get(file).map(|brought| &brought.licences);
    if let Some(other) = contents
        .get(file)
        .and_then(|brought| brought.documents.as_deref())
    {
        let other = contents
            .iter()
            .find(|(file, _)| file.split('_').next() == Some(other));
        licences = other.map(|(_, brought)| &brought.licences);
    }
    let licences: Vec<&String> = licences.into_iter().flatten().collect();
    let purl = format!("pkg:deb/debian/{name}@{version}?arch=amd64");
    Ok(component(name, &version, &purl, &licences))
}

/// What is linked into dockerlaunch, as cargo tells it.
fn crates() -> Result<Vec<Value>> {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(paths::workspace())
        .args([
            "tree",
            "--package",
            "dockerlaunch",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--no-dedupe", "--format", "{p}|{l}"]);
    let text = run::output(&mut command)?;
    let lines: BTreeSet<&str> = text.lines().collect();
    let crates = lines.iter().filter_map(|line| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
        let purl = format!("pkg:cargo/{name}@{version}");
        Some(component(name, version, &purl, &[&licence.to_owned()]))
    });
    Ok(crates.collect())
}

fn component(name: &str, version: &str, purl: &str, licences: &[&String]) -> Value {
    let licences: Vec<Value> = licences
        .iter()
        .map(|name| json!({ "license": { "name": name } }))
        .collect();
    json!({ "type": "library", "name": name, "version": version, "purl": purl, "licenses": licences })
}
