//! The command line, and which command it runs.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use super::{bench, boot, common::Common, image, size, test};

#[derive(Parser)]
#[command(name = "cargo qemu", about, version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Arguments),
    Boot(boot::Arguments),
    Image(image::Arguments),
    Size(size::Arguments),
    Test(test::Arguments),
}

impl Cli {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let common = &self.common;
        match &self.command {
            Command::Bench(arguments) => bench::run(arguments, common)?,
            Command::Boot(arguments) => boot::run(arguments, common)?,
            Command::Image(arguments) => image::run(arguments, common)?,
            Command::Size(arguments) => size::run(arguments, common)?,
            Command::Test(arguments) => return test::run(arguments, common),
        }
        Ok(ExitCode::SUCCESS)
    }
}
