//! A large scenario: the image that `cargo qemu boot` uses, one boot, and questions to the engine.

use std::{cell::RefCell, path::Path, time::Instant};

use anyhow::{Context, Result};

use super::{
    extra,
    guests::{Bench, Kit, discard_disks},
    nested,
    outcome::{Checks, Outcome, Reason},
};
use crate::{
    boot,
    checks::{
        engine::{CannotRun, PUBLISHED, Place, Row},
        prerequisites::{self, World},
        restarts,
        seen::Seen,
    },
    disks,
    engine::Engine,
    image::{Image, table::Group},
    machine::{Drive, Guest, Machine, Root},
    packages::Unpacked,
    python,
    scenarios::{self, Large, Life, Scenario},
};

/// MiB, for a guest with servers, or with a second engine.
const SERVES: u32 = 2048;
/// MiB: the initramfs of a switch is small, and freed.
const ON_DISKS: u32 = 1024;

/// Boots it, and asks, in each of its lives.
pub(super) fn run(machine: &Machine, large: &Large, chosen: &[String], busybox: &Path) -> Outcome {
    let (mut checks, mut notes, mut stopped) = (Checks::new(), Vec::new(), None);
    let (promised, noted) = (RefCell::default(), RefCell::default());
    let seen = Across {
        promised: &promised,
        notes: &noted,
    };
    for life in large.boots() {
        let mut machine = machine.clone();
        machine.fresh = life.name.is_empty();
        machine.name += life.name.trim_end_matches(':');
        // What was reached before a guest died stays; a second start begins anew.
        let reached = RefCell::new(Checks::new());
        let asked = machine.boot(|guest| {
            reached.take();
            let checks = &mut reached.borrow_mut();
            ask(guest, large, &life, chosen, busybox, seen, checks)?;
            end(guest, &machine, &life, checks)
        });
        let reached = reached.into_inner().into_iter();
        checks.extend(reached.map(|(name, verdict)| (life.name.to_owned() + &name, verdict)));
        match asked {
            Ok((_, (), note)) => notes.extend(note),
            Err(error) => {
                stopped = Some(format!("{error:#}"));
                break;
            }
        }
    }
    let name = &machine.name;
    let noted = noted.into_inner().into_iter();
    notes.extend(noted.map(|note| format!("guest `{name}`: {note}")));
    if stopped.is_none() {
        discard_disks(machine, &checks);
    }
    Outcome::Ran {
        checks,
        stopped,
        note: (!notes.is_empty()).then(|| notes.join("\n")),
    }
}

pub(super) fn machine(
    scenario: &Scenario,
    large: &Large,
    bench: &Bench,
    kit: &Kit,
) -> Result<Machine> {
    let more = match large {
        Large {
            prerequisites: true,
            ..
        } => Some(scenario.suite.servers(&bench.mirror)?),
        Large { clients: true, .. } => {
            let _ = *python::DOCKER; // Now, so that its progress does not mix with the report.
            Some(scenario.suite.clients(&bench.mirror)?)
        }
        _ => None,
    };
    let roots: Vec<&Unpacked> = [&kit.packages].into_iter().chain(&more).collect();
    let image = Image {
        name: if large.image.is_empty() && large.groups == Group::ALL {
            scenario.suite.name().to_owned()
        } else {
            format!("engine-{}", scenario.name)
        },
        packages: &kit.packages,
        more: more.as_ref(),
        program: bench.program(scenario),
        groups: large.groups,
        extra: extra::changes(large.image, bench, &roots)?,
        format: scenario.root.format(),
    };
    let image = image.built()?;
    let drive = || Drive::kept_root(image.clone(), scenario.name);
    let mut drives = Vec::new();
    let root = match scenario.root {
        scenarios::Root::Disk => Root::Disk(drive()?),
        scenarios::Root::ReadOnly => Root::ReadOnly(drive()?),
        scenarios::Root::Full => Root::Disk(Drive::kept_root(
            disks::full(&image, scenario.name)?,
            scenario.name,
        )?),
        scenarios::Root::Initramfs => Root::Initramfs(image),
        scenarios::Root::Switch(_, table) => {
            drives.push(disks::on_virtio(drive()?, table)?);
            Root::Initramfs(bench.initramfs(scenario, kit)?)
        }
    };
    for disk in large.disks {
        drives.push(disk.made(scenario.name)?);
    }
    drives.extend(nested::drives(scenario, large, bench)?);
    let mut machine = Machine::new(scenario.name, kit.kernel.clone(), root, kit.acceleration);
    machine.memory = if drives.is_empty() {
        machine.memory
    } else {
        ON_DISKS
    };
    machine.drives = drives;
    machine.append = large
        .address
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
    machine.memory = if large.prerequisites || !large.inner.is_empty() {
        SERVES
    } else {
        machine.memory
    };
    machine.verbose = bench.verbose;
    Ok(machine)
}

/// What is kept over the lives of a guest.
#[derive(Clone, Copy)]
struct Across<'a> {
    promised: &'a RefCell<Vec<String>>,
    notes: &'a RefCell<Vec<String>>,
}

/// Asks what was chosen, as long as the guest lives.
fn ask(
    guest: &Guest,
    large: &Large,
    life: &Life,
    chosen: &[String],
    busybox: &Path,
    across: Across,
    checks: &mut Checks,
) -> Result<()> {
    guest.wait_for_line("dockerd to listen", boot::READY, boot::listens)?;
    let mut engine = Engine::connect(guest.port(boot::PORT)?)?;
    engine.wait_ready(boot::ANSWER, || guest.alive())?;
    engine.load_busybox(busybox)?;
    let console = console(guest);
    restarts::of_guest(console.iter().map(String::as_str), 0)?;
    let place = Place {
        guest,
        engine: &engine,
        published: guest.port(PUBLISHED)?,
        busybox,
        cgroup: large.cgroup,
        console: &console,
        image: "",
        debian: &nested::debian(large),
        promised: across.promised,
        notes: across.notes,
    };
    let mut judge = |name: &str, question: &dyn Fn() -> Result<()>| {
        let started = Instant::now();
        let verdict = question();
        let seconds = started.elapsed().as_secs_f64();
        let outcome = match &verdict {
            Ok(()) => String::new(),
            Err(error) => format!(", and failed: {error:#}"),
        };
        guest.remark(&format!("{name} took {seconds:.1} s{outcome}"));
        guest
            .alive()
            .with_context(|| format!("the guest died during `{name}`"))?;
        checks.insert(name.to_owned(), told(guest, verdict));
        anyhow::Ok(())
    };
    let is_chosen = |name: &str| chosen.contains(&(life.name.to_owned() + name));
    let rows = life.checks.iter().copied().flatten();
    for Row(name, question) in rows.filter(|row| is_chosen(row.0)) {
        judge(name, &|| question(&place))?;
    }
    for (number, inner) in large.inner.iter().enumerate() {
        let place = Place {
            image: &nested::device(number),
            ..place
        };
        for (name, Row(_, question)) in inner.asked(is_chosen) {
            judge(&name, &|| question(&place))?;
        }
    }
    if large.prerequisites {
        let world = World::new(&place)?;
        let names = prerequisites::names();
        for name in names.iter().filter(|name| is_chosen(name)) {
            judge(name, &|| world.ask(name))?;
        }
    }
    let lines = self::console(guest);
    let excused = restarts::of_guest(lines.iter().map(String::as_str), large.kills)?;
    across.notes.borrow_mut().extend(excused);
    Ok(())
}

fn console(guest: &Guest) -> Vec<String> {
    guest.console().into_iter().map(|line| line.text).collect()
}

/// Presses the power button, and compares how it ends; a guest of which nothing is expected is cut off.
fn end(guest: &Guest, machine: &Machine, life: &Life, checks: &mut Checks) -> Result<()> {
    if life.end.is_empty() {
        return guest.quit().map(drop);
    }
    guest.press_power_button()?;
    let exit = guest.wait_exit(boot::end::WITHIN)?;
    let seen = Seen {
        console: console(guest),
        told: guest.told(),
        reason: exit.reason,
        disks: machine.kept(),
        ..Seen::default()
    };
    for expect in life.end.iter().copied().flatten() {
        checks.insert(expect.name(), told(guest, expect.check(&seen)));
    }
    Ok(())
}

/// A verdict for the report.
fn told(guest: &Guest, verdict: Result<()>) -> Result<(), Reason> {
    verdict.map_err(|error| match error.downcast::<CannotRun>() {
        Ok(CannotRun(reason)) => Reason::CannotRun(reason),
        Err(error) => {
            let console = guest.console_path().display();
            Reason::Failed(format!("{error:#}\nthe console: {console}"))
        }
    })
}
