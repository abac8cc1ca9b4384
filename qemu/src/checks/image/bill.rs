//! The bill of materials has every package that a file comes from, with version and licence.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{archive::Content, world::World};
use crate::image::BILL;

/// Files of no package: built here, or joined from a package's files.
const MADE: &[&str] = &[
    "usr/bin/dockerlaunch",
    "usr/etc/ssl/certs/ca-certificates.crt",
    BILL,
];

pub(super) fn is_whole(world: &World) -> Result<()> {
    let bill: Value = serde_json::from_slice(&world.full.bytes(BILL)?)?;
    ensure!(bill["bomFormat"] == "CycloneDX" && bill["specVersion"] == "1.6");
    let components = bill["components"].as_array().context("no components")?;
    let mut named = BTreeSet::new();
    for component in components {
        let text = |key: &str| component[key].as_str().filter(|text| !text.is_empty());
        let name = text("name").with_context(|| format!("no name: {component}"))?;
        let version = text("version").with_context(|| format!("{name} has no version"))?;
        let licences = component["licenses"].as_array();
        let licences = licences.filter(|all| !all.is_empty() && all.iter().all(has_text));
        licences.with_context(|| format!("{name} {version} has no licence"))?;
        ensure!(named.insert(name), "{name} is there twice");
    }
    for name in ["ca-certificates", "dockerlaunch", "rustix"] {
        ensure!(named.contains(name), "{name} is missing");
    }

    let contents = world.packages.contents()?;
    let mut owner = BTreeMap::new();
    for (package, brought) in &contents {
        let name = package.split('_').next().unwrap_or(package);
        owner.extend(brought.files.iter().map(|file| (file.as_str(), name)));
    }
    for (path, entry) in &world.full.entries {
        if !matches!(entry.content, Content::File(_)) || MADE.contains(&path.as_str()) {
            continue;
        }
        let brought = match path.strip_prefix("usr/etc/") {
            Some(rest) => format!("etc/{rest}"),
            None => path.clone(),
        };
        let package = owner.get(brought.as_str());
        let package = package.with_context(|| format!("no package has {brought}"))?;
        ensure!(
            named.contains(package),
            "{path} is of {package}, which is missing"
        );
    }
    Ok(())
}

/// An identifier, a name or an expression, and not an empty one.
fn has_text(licence: &Value) -> bool {
    let values = [
        &licence["license"]["id"],
        &licence["license"]["name"],
        &licence["expression"],
    ];
    let told = values.iter().filter_map(|value| value.as_str());
    told.filter(|text| !text.is_empty()).count() == 1
}
