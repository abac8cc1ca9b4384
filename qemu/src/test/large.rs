//! A large scenario: the image that `cargo qemu boot` uses, one boot, and questions to the engine.

use std::{cell::RefCell, path::Path};

use anyhow::{Context, Result};

use super::guests::{Bench, Checks, Kit, Outcome};
use crate::{
    boot,
    checks::engine::{PUBLISHED, Place, Row},
    engine::Engine,
    image::{Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root},
    scenarios::{self, Large, Scenario},
};

/// Boots it, and asks.
pub(super) fn run(machine: &Machine, large: &Large, busybox: &Path) -> Outcome {
    // What was reached before a guest died stays; a second start begins anew.
    let reached = RefCell::new(Checks::new());
    let asked = machine.boot(|guest| {
        reached.take();
        ask(guest, large, busybox, &mut reached.borrow_mut())
    });
    let (stopped, note) = match asked {
        Ok((_, (), note)) => (None, note),
        Err(error) => (Some(format!("{error:#}")), None),
    };
    Outcome::Ran {
        checks: reached.into_inner(),
        stopped,
        note,
    }
}

pub(super) fn machine(scenario: &Scenario, bench: &Bench, kit: &Kit) -> Result<Machine> {
    let disk = scenario.root == scenarios::Root::Disk;
    let image = Image {
        name: scenario.suite.name().to_owned(),
        packages: &kit.packages,
        program: &bench.program,
        groups: Group::ALL,
        extra: Vec::new(),
        format: if disk {
            Format::Disk
        } else {
            Format::Initramfs
        },
    };
    let image = image.built()?;
    let root = if disk {
        Root::Disk(Drive {
            path: image,
            keep: false,
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
        let failed = |error| format!("{error:#}\nthe console: {}", guest.console_path().display());
        checks.insert((*name).to_owned(), verdict.map_err(failed));
    }
    guest.quit().map(drop)
}
