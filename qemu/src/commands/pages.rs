//! The README and the guide: their commands are valid, the appliance's line is the one that a scenario boots with, and the tables of
//! the image are those of an image.

use std::{collections::BTreeSet, fs};

use clap::{Parser, ValueEnum};

use super::cli::Cli;
use crate::{
    checks::pages::{code, commands},
    image::{self, ENGINE, Format, Group},
    scenarios,
};

const README: &str = include_str!("../../../README.md");
const APPLIANCE: &str = include_str!("../../../src/guide/appliance.md");
const IMAGE: &str = include_str!("../../../src/guide/image.md");

/// The rest of a block, from the line that begins with `prefix`, as one line.
fn block(page: &str, prefix: &str) -> String {
    let lines = code(page).skip_while(|line| !line.starts_with(prefix));
    let words = lines.take_while(|line| !line.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_pages_commands_are_valid() {
    let mut all = commands(README, "cargo qemu ");
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/guide");
    for page in fs::read_dir(guide).unwrap() {
        let page = fs::read_to_string(page.unwrap().path()).unwrap();
        all.extend(commands(&page, "cargo qemu "));
    }
    assert!(all.len() >= 6, "{all:?}");
    for command in all {
        let words = command.split(' ').skip(1); // cargo
        assert!(Cli::try_parse_from(words).is_ok(), "{command}");
    }
}

/// A table's rows without their bytes, which change with Debian's packages.
fn table(head: &str) -> Vec<(&'static str, &'static str)> {
    let rows = IMAGE.lines().skip_while(|line| !line.starts_with(head));
    let rows = rows.skip(2).take_while(|line| line.starts_with("| `"));
    let row = |line: &'static str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?.trim_matches('`'), cells.nth(1)?))
    };
    rows.map(|line| row(line).expect(line)).collect()
}

#[test]
fn the_pages_tables_are_those_of_an_image() {
    let groups: Vec<Group> = Format::Oci.groups(false).collect();
    let told = table("| group | bytes | for |");
    assert_eq!(told.len(), groups.len(), "{told:?}");
    for group in &groups {
        let row = (group.name(), group.about());
        let found = told
            .iter()
            .any(|(name, about)| (*name, *about) == (&row.0, row.1));
        assert!(found, "image.md has no row {row:?}");
    }
    assert_eq!(table("| file of the engine |"), ENGINE);
}

#[test]
fn the_pages_smallest_set_is_the_one_that_is_tested() {
    let (_, rest) = IMAGE
        .split_once("--format tar --without ")
        .expect("the page has the command");
    let without = rest.split(' ').next().unwrap_or_default();
    let without: Vec<Group> = without
        .split(',')
        .map(|name| Group::from_str(name, false).expect(name))
        .collect();
    let kept = image::kept(Format::Tar.groups(false), &without).unwrap();
    assert_eq!(
        BTreeSet::from_iter(&kept),
        BTreeSet::from_iter(Group::SMALLEST)
    );
}

#[test]
fn the_pages_appliance_is_the_one_that_is_booted() {
    let engine = scenarios::all().find(|one| one.name == "appliance-engine");
    let engine = engine.expect("it is in the table");
    let words = [engine.append, &["--"], engine.words].concat().join(" ");
    let line = format!("rdinit=/usr/bin/dockerlaunch {words}");
    for page in [README, APPLIANCE] {
        assert_eq!(block(page, "rdinit=").replace(" panic=10", ""), line);
    }
}

#[test]
fn a_command_ends_with_its_block() {
    let page = "one two\n```sh\none \\\n  three\nfour\n```\none\n```text\none five\n```\n";
    assert_eq!(commands(page, "one"), ["one   three", "one five"]);
    assert_eq!(block(page, "four"), "four");
}
