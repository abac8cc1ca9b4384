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
mod paths;
mod progress;
mod python;
mod report;
mod run;
mod scenarios;
mod sizes;
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
        let features = match &self.features {
            None => Features::Default,
            Some(list) => Features::Only(
                list.iter()
                    .filter(|name| !name.is_empty())
                    .cloned()
                    .collect(),
            ),
        };
        toolchain::program(&features, &self.mirror)
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

#[cfg(test)]
mod readme {
    //! Its commands are understood, and its appliance's line is the one that a scenario boots with.

    use super::*;

    const README: &str = include_str!("../../README.md");

    /// The lines that stand indented, from the one that begins so to the next that does not.
    fn block(prefix: &str) -> String {
        let lines = README
            .lines()
            .skip_while(|line| !line.trim_start().starts_with(prefix));
        let words = lines.take_while(|line| line.starts_with("    "));
        words.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn its_commands_are_understood() {
        let lines = README.lines().filter_map(|line| line.strip_prefix("    "));
        let commands: Vec<&str> = lines
            .filter(|line| line.starts_with("cargo qemu "))
            .collect();
        assert!(commands.len() >= 3, "{commands:?}");
        for command in commands {
            let words = command.split(' ').skip(1); // cargo
            assert!(Cli::try_parse_from(words).is_ok(), "{command}");
        }
    }

    #[test]
    fn its_appliance_is_booted() {
        let engine = scenarios::all().find(|one| one.name == "appliance-engine");
        let engine = engine.expect("it is in the table");
        let words = [engine.append, &["--"], engine.words].concat().join(" ");
        let line = format!("rdinit=/usr/bin/dockerlaunch {words}");
        assert_eq!(block("rdinit=").replace(" panic=10", ""), line);
    }
}
