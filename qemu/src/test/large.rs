//! A large scenario: the image that `cargo qemu boot` uses, one boot, and questions to the engine.

use std::{cell::RefCell, path::Path};

use anyhow::{Context, Result};

use super::guests::{Bench, Checks, Kit, Outcome, discard_disk};
use crate::{
    boot,
    checks::{
        engine::{PUBLISHED, Place, Row},
        seen::Seen,
    },
    engine::Engine,
    image::{Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root, Written},
    scenarios::{self, Large, Scenario},
};

/// Boots it, and asks.
pub(super) fn run(machine: &Machine, large: &Large, busybox: &Path) -> Outcome {
    // What was reached before a guest died stays; a second start begins anew.
    let reached = RefCell::new(Checks::new());
    let asked = machine.boot(|guest| {
        reached.take();
        let checks = &mut reached.borrow_mut();
        ask(guest, large, busybox, checks)?;
        end(guest, large, checks)
    });
    let (stopped, note) = match asked {
        Ok((guest, (), note)) => {
            discard_disk(&guest, &reached.borrow());
            (None, note)
        }
        Err(error) => (Some(format!("{error:#}")), None),
    };
    Outcome::Ran {
        checks: reached.into_inner(),
        stopped,
        note,
    }
}

pub(super) fn machine(
    scenario: &Scenario,
    large: &Large,
    bench: &Bench,
    kit: &Kit,
) -> Result<Machine> {
    let on_disk = scenario.root == scenarios::Root::Disk;
    let image = Image {
        name: if large.image.is_empty() {
            scenario.suite.name().to_owned()
        } else {
            format!("engine-{}", scenario.name)
        },
        packages: &kit.packages,
        program: bench.program(scenario),
        groups: Group::ALL,
        extra: large
            .image
            .iter()
            .map(|change| bench.entry(change))
            .collect(),
        format: if on_disk {
            Format::Disk
        } else {
            Format::Initramfs
        },
    };
    let image = image.built()?;
    let root = if on_disk {
        Root::Disk(Drive {
            path: image,
            written: Written::KeptInCopy,
        })
    } else {
        Root::Initramfs(image)
    };
    let mut machine = Machine::new(scenario.name, kit.kernel.clone(), root, kit.acceleration);
    machine.append = [boot::ADDRESS, boot::DRIVER]
        .iter()
        .chain(scenario.append)
        .map(ToString::to_string)
        .collect();
    machine.arguments = boot::DAEMON
        .iter()
        .chain(scenario.words)
        .map(ToString::to_string)
        .collect();
    machine.forwards = vec![boot::PORT, PUBLISHED];
    machine.verbose = bench.verbose;
    Ok(machine)
}

/// Asks every row, as long as the guest lives.
fn ask(guest: &Guest, large: &Large, busybox: &Path, checks: &mut Checks) -> Result<()> {
    guest.wait_for_line("dockerd to listen", boot::READY, boot::listens)?;
    let mut engine = Engine::connect(guest.port(boot::PORT)?)?;
    engine.wait_ready(boot::ANSWER, || guest.alive())?;
    engine.load_busybox(busybox)?;
    let console: Vec<String> = guest.console().into_iter().map(|line| line.text).collect();
    let place = Place {
        guest,
        engine: &engine,
        published: guest.port(PUBLISHED)?,
        cgroup: large.cgroup,
        console: &console,
    };
    for Row(name, question) in large.checks.iter().copied().flatten() {
        let verdict = question(&place);
        guest
            .alive()
            .with_context(|| format!("the guest died during `{name}`"))?;
        checks.insert((*name).to_owned(), told(guest, verdict));
    }
    Ok(())
}

/// Presses the power button, and compares how it ends; a guest of which nothing is expected just ends.
fn end(guest: &Guest, large: &Large, checks: &mut Checks) -> Result<()> {
    if large.end.is_empty() {
        return guest.quit().map(drop);
    }
    guest.press_power_button()?;
    let exit = guest.wait_exit(boot::end::WITHIN)?;
    let seen = Seen {
        console: guest.console().into_iter().map(|line| line.text).collect(),
        told: guest.told(),
        reason: exit.reason,
        disk: guest.disk().map(Path::to_owned),
        ..Seen::default()
    };
    for expect in large.end.iter().copied().flatten() {
        checks.insert(expect.name(), told(guest, expect.check(&seen)));
    }
    Ok(())
}

/// A verdict for the report.
fn told(guest: &Guest, verdict: Result<()>) -> Result<(), String> {
    verdict.map_err(|error| format!("{error:#}\nthe console: {}", guest.console_path().display()))
}
