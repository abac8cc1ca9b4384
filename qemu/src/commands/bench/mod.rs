//! `cargo qemu bench`: what a user feels, side by side in one run: a table on the terminal, and JSON and a chart if wanted.

mod tables;

use std::{fs, num::NonZero, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::common::Common;
use crate::{
    bench::{Boot, Boots, Growth, Launched, Launches, boots, draw, draw_growth, growth, launches},
    host::needs::{self, Need},
    packages::suites::Suite,
    program,
};

/// A table of the run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From the kernel to a ready engine and its first container
    Boots,
    /// From the execution of PID 1 to the daemon's first instruction
    Launches,
    /// How a launch grows with files and mounts
    Growth,
}

/// Measure launches and boots against a script and small inits, in guests whose instructions are counted
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suites, for the kernel and the engine: a,b
    #[arg(long, value_enum, value_delimiter = ',', default_value = "trixie")]
    suite: Vec<Suite>,
    /// Make only these tables: a,b
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The binary of the original, which is written in Go
    #[arg(long, value_name = "PATH")]
    go: Option<PathBuf>,
    /// Boot each so many times and time the boots, on two processors, instead of counting instructions on one
    #[arg(long, value_name = "ROUNDS")]
    timed: Option<NonZero<usize>>,
    /// Boot with modules without signatures, which the kernel loads faster, and not under lockdown
    #[arg(long)]
    unsigned_modules: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw boots.svg and growth.svg in this folder
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
}

/// All that was measured.
#[derive(Serialize)]
struct Results {
    dockerlaunch: &'static str,
    boots: Vec<Boot>,
    launches: Vec<Launched>,
    growth: Vec<Growth>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    needs::ready(&[Need::Image, Need::Guest, Need::Initramfs])?;
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut results = Results {
        dockerlaunch: program::version(),
        boots: Vec::new(),
        launches: Vec::new(),
        growth: Vec::new(),
    };
    if wants(Part::Boots) {
        let dockerlaunch = common.program()?;
        for suite in &arguments.suite {
            let booted = boots(&Boots {
                suite: *suite,
                dockerlaunch: &dockerlaunch,
                mirror: &common.mirror,
                rounds: arguments.timed,
                unsigned_modules: arguments.unsigned_modules,
                verbose: common.verbose,
            })?;
            print!("{}", tables::of_boots(&booted));
            results.boots.extend(booted);
        }
    }
    let wanted = Launches {
        suite: *arguments.suite.first().context("--suite names none")?,
        mirror: &common.mirror,
        original: arguments.go.clone(),
        verbose: common.verbose,
    };
    if wants(Part::Launches) {
        results.launches = launches(&wanted)?;
        print!("{}", tables::of_launches(&results.launches));
    }
    if wants(Part::Growth) {
        results.growth = growth(&wanted)?;
        print!("{}", tables::of_growth(&results.growth));
    }
    if let Some(folder) = &arguments.svg {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        if !results.boots.is_empty() {
            draw(&results.boots, &folder.join("boots.svg"))?;
        }
        if !results.growth.is_empty() {
            draw_growth(&results.growth, &folder.join("growth.svg"))?;
        }
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&results)?;
        fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
