//! `cargo qemu bench`: what a user feels, side by side in one run.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::common::Common;
use crate::{
    bench::{Launches, boots, launches},
    host::needs::{self, Need},
    packages::suites::Suite,
};

/// A table of the run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Boots,
    Launches,
}

/// Measure launches and boots against a script and small inits, in guests whose instructions are counted
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite, for the kernel and the engine
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    /// Make only these tables: a,b
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The binary of the original, which is written in Go
    #[arg(long, value_name = "PATH")]
    go: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    needs::ready(&[Need::Image, Need::Guest, Need::Initramfs])?;
    let program = common.program()?;
    for boot in boots(arguments.suite, &program, &common.mirror, common.verbose)? {
        println!(
            "{} {} {} {}",
            boot.name, boot.pid_1, boot.ready, boot.container
        );
    }
    let rows = launches(&Launches {
        suite: arguments.suite,
        mirror: &common.mirror,
        original: arguments.go.clone(),
        verbose: common.verbose,
    })?;
    for row in rows {
        println!("{row:?}");
    }
    Ok(())
}
