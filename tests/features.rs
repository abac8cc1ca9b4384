//! The program under test has the Cargo features that it was built with, and `--version` lists them.

use crate::util::{Needs, has_feature, tests};
use std::{collections::BTreeSet, env};

tests![Needs::KnownFeatures; g5_it_has_the_features_it_was_built_with];

const MANIFEST: &str = include_str!("../Cargo.toml");

/// Every feature, and the features that it enables.
fn all() -> Vec<(&'static str, Vec<&'static str>)> {
    let table = MANIFEST.split_once("\n[features]\n").unwrap().1;
    let table = table.split("\n[").next().unwrap();
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| line.split_once(" = "));
    rows.map(|(name, brought)| (name, brought.split('"').skip(1).step_by(2).collect()))
        .collect()
}

/// The features of the program under test. None: the program was given from outside, without its features.
pub(crate) fn expected() -> Option<BTreeSet<&'static str>> {
    match env::var("DOCKERLAUNCH_BIN_FEATURES") {
        Ok(list) => Some(with_brought(&list)),
        Err(_) if env::var_os("DOCKERLAUNCH_BIN").is_some() => None,
        Err(_) => Some(beside()),
    }
}

/// The features in a comma-separated list, which may contain `default`, with those that they enable.
fn with_brought(list: &str) -> BTreeSet<&'static str> {
    let mut wanted: Vec<&str> = list.split(',').filter(|name| !name.is_empty()).collect();
    let (all, mut found) = (all(), BTreeSet::new());
    while let Some(name) = wanted.pop() {
        let row = all.iter().find(|(feature, _)| *feature == name);
        let (name, brought) = row.unwrap_or_else(|| panic!("there is no feature {name}"));
        found.insert(*name);
        wanted.extend(brought);
    }
    found.remove("default");
    found
}

/// The features of the program that cargo has built with these tests.
fn beside() -> BTreeSet<&'static str> {
    let compiled = [
        ("check", cfg!(feature = "check")),
        ("git", cfg!(feature = "git")),
        ("iptables", cfg!(feature = "iptables")),
        ("modprobe", cfg!(feature = "modprobe")),
        ("network", cfg!(feature = "network")),
        ("state", cfg!(feature = "state")),
        ("supervise", cfg!(feature = "supervise")),
        ("switch-root", cfg!(feature = "switch-root")),
        ("xz", cfg!(feature = "xz")),
    ];
    assert_eq!(
        compiled
            .map(|(name, _)| name)
            .into_iter()
            .collect::<BTreeSet<_>>(),
        all()
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| *name != "default")
            .collect(),
        "Cargo.toml has other features"
    );
    let built = compiled.into_iter().filter(|(_, is_built)| *is_built);
    built.map(|(name, _)| name).collect()
}

fn g5_it_has_the_features_it_was_built_with() {
    let expected = expected().unwrap();
    for (name, _) in all().iter().filter(|(name, _)| *name != "default") {
        assert_eq!(has_feature(name), expected.contains(name), "{name}");
    }
    // And it has no other feature.
    assert_eq!(crate::util::features().len(), expected.len());
}
