//! `cargo qemu test`: the host's tests, then the images and the guests, then one line with the result.

mod bench;
mod booted;
mod chosen;
mod guests;
mod host_tests;
mod image_checks;
mod large;
mod nested;
mod outcome;
mod queue;
mod roots;
mod small;

use std::{num::NonZero, process::ExitCode, time::Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Args;

use super::common::Common;
use crate::host::needs::{self, Need};
use guests::Running;

/// Run the host's tests against the release program, then the guests, and meanwhile the checks of images
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only tests and checks (`scenario/check`) whose name contains this
    filter: Option<String>,
    /// List the scenarios and what each is for, with a filter their checks as well, and run nothing
    #[arg(long)]
    list: bool,
    /// Run all scenarios, not only those that tell something new
    #[arg(long)]
    long: bool,
    /// Fail if fewer guests than this reach PID 1; a guest whose packages may be missing today counts as well
    #[arg(long)]
    guests: Option<usize>,
    /// How many guests run at the same time [default: one for each processor, if there is enough memory]
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<ExitCode> {
    let chosen = chosen::chosen(arguments.filter.as_deref(), arguments.long);
    let nothing = || {
        let filter = arguments.filter.as_deref().unwrap_or_default();
        anyhow!(
            "nothing has `{filter}` in its name; `cargo qemu test --list --long` shows the scenarios"
        )
    };
    let images = image_checks::chosen(arguments.filter.as_deref(), arguments.long);
    if arguments.list {
        ensure!(!chosen.is_empty() || !images.is_empty(), nothing());
        let lines = image_checks::lines(&images).chain(chosen::lines(&chosen));
        chosen::print(&lines.collect::<Vec<_>>(), arguments.filter.is_some());
        println!("{} guests", chosen.len());
        return Ok(ExitCode::SUCCESS);
    }
    let needs = chosen.iter().flat_map(|chosen| chosen.scenario.needs());
    let whole = [Need::Disks, Need::ReadOnly, Need::HostTests];
    needs::ready(
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
    // Guests spend much time waiting, so the images are checked meanwhile.
    let guests = guests::start(chosen, arguments.jobs, program.clone(), common)?;
    tally.add(image_checks::run(images, &program, &common.mirror));
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
