//! `cargo qemu size`: what the release program weighs with no, the default, and all features.

use std::fs;

use anyhow::Result;

use crate::{
    Common,
    toolchain::{self, Features},
};

const BUILDS: &[(&str, Features)] = &[
    ("no features", Features::Only(Vec::new())),
    ("default features", Features::Default),
    ("all features", Features::All),
];

/// Print the size of the release program with no, default and all features
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: &Arguments, common: &Common) -> Result<()> {
    for (name, features) in BUILDS {
        let program = toolchain::program(features, &common.mirror)?;
        println!("{name:<17} {:>7} bytes", fs::metadata(program)?.len());
    }
    Ok(())
}
