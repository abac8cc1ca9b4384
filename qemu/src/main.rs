//! `cargo qemu`: boots dockerlaunch as the PID 1 of a real kernel, tests it there, and makes the images for it.

mod boot;
mod checks;
mod engine;
mod host;
mod image;
mod images;
mod machine;
mod packages;
mod paths;
mod progress;
mod report;
mod run;
mod scenarios;
mod suites;
mod test;
mod toolchain;
mod unpack;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
    Test(test::Arguments),
}

/// What every command knows.
#[derive(Args)]
pub(crate) struct Common {
    /// Where Debian's packages are fetched from
    #[arg(long, global = true, env = "DOCKERLAUNCH_MIRROR", default_value = packages::MIRROR)]
    mirror: String,
    /// Show the command that starts QEMU
    #[arg(long, short, global = true)]
    verbose: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Boot(arguments) => boot::run(arguments, &cli.common).map(|()| ExitCode::SUCCESS),
        Command::Image(arguments) => images::run(arguments, &cli.common).map(|()| ExitCode::SUCCESS),
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
