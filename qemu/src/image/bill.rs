//! The bill of materials of an image: every Debian package that one of its files comes from, and every crate of dockerlaunch, each
//! with its version and licences, as CycloneDX 1.6 JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    groups::Group,
    licences,
    tree::{Content, Entry, Tree},
};
use crate::{
    host::{paths, tools},
    packages::{Brought, Unpacked},
    program::version,
};

/// Where it lies in the image.
pub const PLACE: &str = "usr/share/sbom/dockerlaunch.cdx.json";

/// Puts the bill of the tree's files into the tree.
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
        "metadata": { "component": { "type": "container", "name": "dockerlaunch", "version": version() } },
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
    let files = |(package, brought): (&'c String, &'c Brought)| {
        let files = brought.files.iter();
        files.map(|file| (file.as_str(), package.as_str()))
    };
    let owner: BTreeMap<&str, &str> = contents.iter().flat_map(files).collect();
    let root = packages.root.canonicalize()?;
    let mut used = BTreeSet::new();
    for (_, entry) in tree.iter() {
        let paths = match &entry.content {
            Content::File(path) | Content::Start(path, _) => std::slice::from_ref(path),
            Content::Joined(paths) => paths,
            Content::Bytes(_) | Content::Link(_) | Content::Directory => &[],
        };
        for path in paths {
            // dockerlaunch itself, and what a scenario adds, come from elsewhere.
            let path = path.canonicalize()?;
            let Ok(path) = path.strip_prefix(&root) else {
                continue;
            };
            let package = path.to_str().and_then(|path| owner.get(path));
            used.insert(*package.with_context(|| format!("no package has {}", path.display()))?);
        }
    }
    Ok(used)
}

fn package(file: &str, contents: &BTreeMap<String, Brought>) -> Result<Value> {
    let (name, version, architecture) =
        parts(file).with_context(|| format!("{file} is not NAME_VERSION_ARCHITECTURE.deb"))?;
    let brought = &contents[file];
    // A package that uses another's documents uses its copyright file.
    let documents = brought.documents.as_deref().unwrap_or(name);
    let other = contents
        .iter()
        .find(|(file, _)| parts(file).is_some_and(|(name, ..)| name == documents));
    let (_, source) = other.with_context(|| format!("{name} has its documents in {documents}"))?;
    let mut licences: Vec<Value> = source
        .licences
        .iter()
        .map(|name| licences::named(name))
        .collect();
    licences.extend(
        source
            .copyright
            .iter()
            .map(|text| licences::copyright(documents, text)),
    );
    ensure!(!licences.is_empty(), "{file} has no copyright file");
    // Several of Debian's names may have one identifier.
    licences.dedup();
    let escaped = version.replace('+', "%2B");
    let purl = format!("pkg:deb/debian/{name}@{escaped}?arch={architecture}");
    Ok(component(name, &version, &purl, licences))
}

/// Name, version and architecture from the name of a package's file; apt escapes the colon of an epoch.
fn parts(file: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = file.strip_suffix(".deb")?.split_once('_')?;
    let (version, architecture) = rest.rsplit_once('_')?;
    Some((name, version.replace("%3a", ":"), architecture))
}

/// The crates that are linked into dockerlaunch, from cargo.
fn crates() -> Result<Vec<Value>> {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(paths::workspace())
        .args(["tree", "--package", "dockerlaunch", "--edges", "normal"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let text = tools::output(&mut command)?;
    let lines: BTreeSet<&str> = text.lines().collect();
    let one = |line: &&str| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
        let purl = format!("pkg:cargo/{name}@{version}");
        let licences = vec![licences::expression(licence)];
        Some(component(name, version, &purl, licences))
    };
    let each = lines.iter().map(|line| {
        one(line)
            .with_context(|| format!("cargo tree prints `{line}`, not PACKAGE vVERSION|LICENCE"))
    });
    each.collect()
}

fn component(name: &str, version: &str, purl: &str, licences: Vec<Value>) -> Value {
    json!({ "type": "library", "name": name, "version": version, "purl": purl, "licenses": licences })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_name_of_a_packages_file() {
        let expected = ("git", "1:2.47.3-0+deb13u1".to_owned(), "amd64");
        assert_eq!(parts("git_1%3a2.47.3-0+deb13u1_amd64.deb"), Some(expected));
        assert_eq!(parts("git.deb"), None);
    }

    #[test]
    fn every_crate_has_a_licence_of_spdx() {
        let crates = crates().unwrap();
        assert!(crates.iter().any(|one| one["name"] == "rustix"));
        for one in &crates {
            let expression = one["licenses"][0]["expression"].as_str().unwrap();
            assert!(spdx::Expression::parse(expression).is_ok(), "{one}");
        }
    }
}
