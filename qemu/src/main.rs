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

#[cfg(test)]
mod readme {
    //! Its commands are understood, and its appliance's line is the one that a scenario boots with.

    use std::collections::BTreeSet;

    use clap::ValueEnum;

    use super::*;
    use crate::image::{Format, table::Group};

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

    /// A table's rows, their bytes left out: those are Debian's of some day.
    fn table(head: &str) -> Vec<(&'static str, &'static str)> {
        let rows = README.lines().skip_while(|line| !line.starts_with(head));
        let rows = rows.skip(2).take_while(|line| line.starts_with("| `"));
        let row = |line: &'static str| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            Some((cells.next()?.trim_matches('`'), cells.nth(1)?))
        };
        rows.map(|line| row(line).expect(line)).collect()
    }

    #[test]
    fn its_tables_are_those_of_an_image() {
        let groups: Vec<Group> = Format::Oci.groups(false).collect();
        let told = table("| group | bytes | for |");
        assert_eq!(told.len(), groups.len(), "{told:?}");
        for group in &groups {
            let row = (group.name(), group.about());
            let found = told
                .iter()
                .any(|(name, about)| (*name, *about) == (&row.0, row.1));
            assert!(found, "README.md has no row {row:?}");
        }
        assert_eq!(table("| file of the engine |"), image::table::ENGINE);
    }

    #[test]
    fn its_smallest_set_is_the_one_that_is_tested() {
        let (_, rest) = README
            .split_once("--format tar --without ")
            .expect("it is told");
        let without = rest.split(' ').next().unwrap_or_default();
        let without: Vec<Group> = without
            .split(',')
            .map(|name| Group::from_str(name, false).expect(name))
            .collect();
        let kept = image::table::kept(Format::Tar.groups(false), &without).unwrap();
        assert_eq!(
            BTreeSet::from_iter(&kept),
            BTreeSet::from_iter(Group::SMALLEST)
        );
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
