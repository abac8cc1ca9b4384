//! `cargo qemu size`: the size of the release program with no, the default and all features, and what each feature adds to a
//! program with all others.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::common::Common;
use crate::{
    host::tools,
    program::{self, Features},
};

/// Print the size of the release program with no, the default and all features, and the cost of each
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: &Arguments, common: &Common) -> Result<()> {
    let weigh = |features: &Features| -> Result<u64> {
        let program = program::program(features, &common.mirror)?;
        Ok(fs::metadata(program)?.len())
    };
    let all = weigh(&Features::All)?;
    println!(
        "{:<17} {:>7} bytes",
        "no features",
        weigh(&Features::Only(Vec::new()))?
    );
    let mut features = features()?;
    let default = features.iter().position(|(name, _)| name == "default");
    let (_, default) = features.remove(default.context("there are no default features")?);
    let is_all = features.iter().all(|(name, _)| default.contains(name));
    // The same program is not built again.
    let default = if is_all {
        all
    } else {
        weigh(&Features::Default)?
    };
    println!("{:<17} {default:>7} bytes", "default features");
    println!("{:<17} {all:>7} bytes", "all features");
    for (feature, _) in &features {
        // A feature that another one enables can only be left out with that one.
        let brings =
            |(name, brought): &&(String, Vec<String>)| name != feature && brought.contains(feature);
        let bringing: Vec<&String> = features
            .iter()
            .filter(brings)
            .map(|(name, _)| name)
            .collect();
        let names = features
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !bringing.contains(name));
        let with = if bringing.is_empty() {
            all
        } else {
            weigh(&Features::Only(names.clone().cloned().collect()))?
        };
        let others = names.filter(|name| *name != feature).cloned();
        let without = weigh(&Features::Only(others.collect()))?;
        println!("{feature:<17} {:>7} bytes", with.saturating_sub(without));
    }
    Ok(())
}

/// The features in dockerlaunch's Cargo.toml, `default` among them, and which others each enables.
fn features() -> Result<Vec<(String, Vec<String>)>> {
    let mut cargo = tools::cargo();
    cargo.args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&tools::output(&mut cargo)?)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let features = packages
        .filter(|package| package["name"] == "dockerlaunch")
        .find_map(|package| package["features"].as_object())
        .context("cargo metadata has no features of dockerlaunch")?;
    let brought = |value: &Value| -> Vec<String> {
        let names = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    let rows = features.iter();
    Ok(rows
        .map(|(name, value)| (name.clone(), brought(value)))
        .collect())
}
