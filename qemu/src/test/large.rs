//! A large scenario: the image that `cargo qemu boot` uses, one boot, and questions to the engine.

use std::{cell::RefCell, path::Path};

use anyhow::{Context, Result};

use super::{
    extra,
    guests::{Bench, Checks, Kit, Outcome, discard_disk},
};
use crate::{
    boot,
    checks::{
        engine::{PUBLISHED, Place, Row},
        prerequisites::{self, World},
        seen::Seen,
    },
    engine::Engine,
    image::{Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root, Written},
    packages::Unpacked,
    scenarios::{self, Large, Scenario},
};

/// MiB, for a guest with servers and a second engine.
const SERVES: u32 = 2048;

/// Boots it, and asks.
pub(super) fn run(machine: &Machine, large: &Large, chosen: &[String], busybox: &Path) -> Outcome {
    // What was reached before a guest died stays; a second start begins anew.
    let reached = RefCell::new(Checks::new());
    let asked = machine.boot(|guest| {
        reached.take();
        let checks = &mut reached.borrow_mut();
        ask(guest, large, chosen, busybox, checks)?;
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
    // Most guests serve nothing.
    let servers = large
        .prerequisites
        .then(|| scenario.suite.servers(&bench.mirror));
    let servers = servers.transpose()?;
    let roots: Vec<&Unpacked> = [&kit.packages].into_iter().chain(&servers).collect();
    let on_disk = scenario.root == scenarios::Root::Disk;
    let image = Image {
        name: if large.image.is_empty() {
            scenario.suite.name().to_owned()
        } else {
            format!("engine-{}", scenario.name)
        },
        packages: &kit.packages,
        more: servers.as_ref(),
        program: bench.program(scenario),
        groups: Group::ALL,
        extra: extra::changes(large.image, bench, &roots)?,
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
    machine.memory = if large.prerequisites {
        SERVES
    } else {
        machine.memory
    };
    machine.verbose = bench.verbose;
    Ok(machine)
}

/// Asks what was chosen, as long as the guest lives.
fn ask(
    guest: &Guest,
    large: &Large,
    chosen: &[String],
    busybox: &Path,
    checks: &mut Checks,
) -> Result<()> {
    guest.wait_for_line("dockerd to listen", boot::READY, boot::listens)?;
    let mut engine = Engine::connect(guest.port(boot::PORT)?)?;
    engine.wait_ready(boot::ANSWER, || guest.alive())?;
    engine.load_busybox(busybox)?;
    let console: Vec<String> = guest.console().into_iter().map(|line| line.text).collect();
    let place = Place {
        guest,
        engine: &engine,
        published: guest.port(PUBLISHED)?,
        busybox,
        cgroup: large.cgroup,
        console: &console,
    };
    let mut judge = |name: &str, verdict: Result<()>| {
        guest
            .alive()
            .with_context(|| format!("the guest died during `{name}`"))?;
        checks.insert(name.to_owned(), told(guest, verdict));
        anyhow::Ok(())
    };
    let is_chosen = |name: &str| chosen.iter().any(|chosen| chosen == name);
    let rows = large.checks.iter().copied().flatten();
    for Row(name, question) in rows.filter(|row| is_chosen(row.0)) {
        judge(name, question(&place))?;
    }
    if large.prerequisites {
        let world = World::new(&place)?;
        let names = prerequisites::names();
        for name in names.iter().filter(|name| is_chosen(name)) {
            judge(name, world.ask(name))?;
        }
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
