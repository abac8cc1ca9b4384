//! A large scenario: the image that `cargo qemu boot` uses, one boot, and questions to the engine.

use std::{cell::RefCell, path::Path};

use anyhow::{Context, Result};

use super::{
    extra,
    guests::{Bench, Checks, Kit, Outcome},
};
use crate::{
    boot,
    checks::{
        engine::{PUBLISHED, Place, Row},
        prerequisites::{self, World},
    },
    engine::Engine,
    image::{Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root},
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
        ask(guest, large, chosen, busybox, &mut reached.borrow_mut())
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

pub(super) fn machine(
    scenario: &Scenario,
    large: &Large,
    bench: &Bench,
    kit: &Kit,
) -> Result<Machine> {
    // Most guests serve nothing.
    let serves = !large.image.is_empty();
    let servers = serves.then(|| scenario.suite.servers(&bench.mirror));
    let servers = servers.transpose()?;
    let roots: Vec<&Unpacked> = [&kit.packages].into_iter().chain(&servers).collect();
    let disk = scenario.root == scenarios::Root::Disk;
    let image = Image {
        name: if serves {
            scenario.name.to_owned()
        } else {
            scenario.suite.name().to_owned()
        },
        packages: &kit.packages,
        more: servers.as_ref(),
        program: &bench.program,
        groups: Group::ALL,
        extra: extra::changes(large.image, bench, &roots)?,
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
    machine.memory = if serves { SERVES } else { machine.memory };
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
        let failed = |error| format!("{error:#}\nthe console: {}", guest.console_path().display());
        checks.insert(name.to_owned(), verdict.map_err(failed));
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
    guest.quit().map(drop)
}
