//! `cargo qemu`: boots dockerlaunch as the PID 1 of a real kernel, tests it there, and makes the images for it.

mod apt;
mod boot;
mod checks;
mod disks;
mod engine;
mod host;
mod image;
mod images;
mod machine;
mod packages;
mod pages;
mod paths;
mod progress;
mod python;
mod report;
mod run;
mod scenarios;
mod sizes;
mod strict;
mod suites;
mod test;
mod toolchain;
mod unpack;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use toolchain::Features;

#[derive(Parser)]
#[command(name = "cargo qemu", about, version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Boot(boot::Arguments),
    Image(images::Arguments),
    Size(sizes::Arguments),
    Test(test::Arguments),
}

/// What every command knows.
#[derive(Args)]
pub(crate) struct Common {
    /// Where Debian's packages are fetched from
    #[arg(long, global = true, env = "DOCKERLAUNCH_MIRROR", default_value = packages::MIRROR)]
    mirror: String,
    /// The program's Cargo features, instead of the default ones: a,b or an empty list
    #[arg(long, global = true, value_delimiter = ',')]
    features: Option<Vec<String>>,
    /// Show the command that starts QEMU, and how long each check of an engine takes
    #[arg(long, short, global = true)]
    verbose: bool,
}

impl Common {
    /// Whether the program has this feature, which is one of the default ones.
    pub(crate) fn has(&self, feature: &str) -> bool {
        self.features
            .as_ref()
            .is_none_or(|features| features.iter().any(|name| name == feature))
    }

    /// dockerlaunch as it ships, with the features that were asked for.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        toolchain::program(&self.chosen(), &self.mirror)
    }

    /// The same with its symbols, if it is built here.
    pub(crate) fn with_symbols(&self) -> Result<Option<PathBuf>> {
        toolchain::with_symbols(&self.chosen(), &self.mirror)
    }

    fn chosen(&self) -> Features {
        match &self.features {
            None => Features::Default,
            Some(list) => Features::Only(
                list.iter()
                    .filter(|name| !name.is_empty())
                    .cloned()
                    .collect(),
            ),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Boot(arguments) => boot::run(arguments, &cli.common).map(|()| ExitCode::SUCCESS),
        Command::Image(arguments) => {
            images::run(arguments, &cli.common).map(|()| ExitCode::SUCCESS)
        }
        Command::Size(arguments) => sizes::run(arguments, &cli.common).map(|()| ExitCode::SUCCESS),
        Command::Test(arguments) => test::run(arguments, &cli.common),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
