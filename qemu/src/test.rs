//! `cargo qemu test`: the host's tests, then the images and the guests, then one line that says what it all came to.

mod booted;
mod extra;
mod guests;
mod host_tests;
mod images;
mod large;
mod nested;
mod outcome;
mod queue;
mod small;

use std::{num::NonZero, process::ExitCode, time::Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Args;

use crate::{
    Common,
    host::{self, Need},
    scenarios::{self, Scenario, When},
};
use guests::Running;

/// Run the host's tests against the release program, then the guests, and read images back meanwhile
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only tests and checks (`scenario/check`) whose name contains this
    filter: Option<String>,
    /// Show the scenarios and what each is for, with a filter their checks too, and run nothing
    #[arg(long)]
    list: bool,
    /// All scenarios; by default those that tell something new
    #[arg(long)]
    long: bool,
    /// Fail if fewer guests than this reach PID 1; a guest whose packages may be missing today counts as one that did
    #[arg(long)]
    guests: Option<usize>,
    /// How many guests run at once [default: one for each processor, as far as the memory goes]
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
}

/// A scenario, and those of its checks that the filter lets through.
pub(crate) struct Chosen {
    pub(crate) scenario: &'static Scenario,
    pub(crate) checks: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<ExitCode> {
    let chosen = chosen(arguments.filter.as_deref(), arguments.long);
    let nothing = || {
        let filter = arguments.filter.as_deref().unwrap_or_default();
        anyhow!(
            "nothing has `{filter}` in its name; `cargo qemu test --list --long` shows the scenarios"
        )
    };
    let images = images::chosen(arguments.filter.as_deref(), arguments.long);
    if arguments.list {
        ensure!(!chosen.is_empty() || !images.is_empty(), nothing());
        images::list(&images, arguments.filter.is_some());
        list(&chosen, arguments.filter.is_some());
        return Ok(ExitCode::SUCCESS);
    }
    let needs = chosen.iter().flat_map(|chosen| chosen.scenario.needs());
    let whole = [Need::Disks, Need::ReadOnly, Need::HostTests];
    host::ready(
        &[Need::Image, Need::Guest, Need::Initramfs]
            .into_iter()
            .chain(needs)
            .chain(
                arguments
                    .filter
                    .is_none()
                    .then_some(whole)
                    .into_iter()
                    .flatten(),
            )
            .chain((!images.is_empty()).then_some(Need::Containers))
            .collect::<Vec<_>>(),
    )?;
    let program = common.program()?;
    let started = Instant::now();
    let tested = host_tests::Program::of(&program, common, arguments.filter.as_deref())?;
    let mut tally = host_tests::run(arguments.filter.as_deref(), &tested)?;
    let host_ended = Instant::now();
    let host = tally.passed + tally.failed + tally.skipped.len() as u64;
    ensure!(
        host > 0 || !chosen.is_empty() || !images.is_empty(),
        nothing()
    );
    // Guests wait for each other and for themselves: there is time for the images meanwhile.
    let guests = guests::start(chosen, arguments.jobs, program.clone(), common)?;
    tally.add(images::run(images, &program, &common.mirror));
    let (of_guests, booted) = guests.map(Running::shown).unwrap_or_default();
    tally.add(of_guests);
    let fewer = arguments.guests.and_then(|named| booted.fewer_than(named));
    if let Some(fewer) = fewer {
        tally.fail(&fewer);
    }
    tally.notes.push(format!(
        "the host's tests took {:.0} s, the guests with their images {:.0} s",
        (host_ended - started).as_secs_f64(),
        host_ended.elapsed().as_secs_f64()
    ));
    Ok(tally.close())
}

fn chosen(filter: Option<&str>, long: bool) -> Vec<Chosen> {
    let wanted = |scenario: &&Scenario| long || scenario.when == When::Default;
    let choose = |scenario: &'static Scenario| {
        let fits = |check: &String| {
            filter.is_none_or(|filter| format!("{}/{check}", scenario.name).contains(filter))
        };
        Chosen {
            scenario,
            checks: scenario.checks().into_iter().filter(fits).collect(),
        }
    };
    scenarios::all()
        .filter(wanted)
        .map(choose)
        .filter(|chosen| !chosen.checks.is_empty())
        .collect()
}

/// With a filter also the checks that it lets through.
fn list(chosen: &[Chosen], with_checks: bool) {
    for Chosen { scenario, checks } in chosen {
        let size = if scenario.is_small() {
            "probe"
        } else {
            "engine"
        };
        let long = if scenario.when == When::Long {
            ", --long"
        } else {
            ""
        };
        println!(
            "{:<24}{} ({size}, {} checks{long})",
            scenario.name,
            scenario.why,
            checks.len()
        );
        for check in checks.iter().filter(|_| with_checks) {
            println!("    {}/{check}", scenario.name);
        }
    }
    println!("{} guests", chosen.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_checks_and_leaves_out_scenarios_without() {
        let chosen = chosen(Some("disk/mount:/proc"), true);
        assert!(
            chosen
                .iter()
                .any(|one| one.scenario.name == "disk" && one.checks == ["mount:/proc"])
        );
        assert!(super::chosen(Some("no such check"), true).is_empty());
    }

    /// The number in .ci/run is the one that `cargo qemu test --list` ends with.
    #[test]
    fn g2_ci_names_as_many_guests_as_there_are() {
        let script = include_str!("../../.ci/run");
        let (_, named) = script.split_once("--guests ").expect("it names a number");
        let digits = named.split(|c: char| !c.is_ascii_digit()).next();
        let named: usize = digits.unwrap_or_default().parse().expect("a number");
        assert_eq!(named, chosen(None, false).len(), "change it in .ci/run");
    }

    #[test]
    fn long_scenarios_run_only_when_asked_for() {
        assert!(
            chosen(None, false)
                .iter()
                .all(|one| one.scenario.when == When::Default)
        );
        assert!(
            chosen(None, true)
                .iter()
                .any(|one| one.scenario.when == When::Long)
        );
    }
}
