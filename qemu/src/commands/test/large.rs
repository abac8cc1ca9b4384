//! A large scenario: the image of `cargo qemu boot`, its boots, and the checks of its engine.

use std::{cell::RefCell, path::Path, time::Instant};

use anyhow::{Context, Result};

use super::{
    bench::{Bench, Kit},
    nested,
    outcome::{Checks, Outcome, Reason},
    roots,
};
use crate::{
    checks::{
        engine::{CannotRun, PUBLISHED, Place, Row},
        prerequisites::{self, World},
        restarts,
        seen::Seen,
    },
    disks::Drive,
    engine::{Engine, launch},
    image::{self, Group, Image},
    machine::{Guest, Machine},
    packages::{Unpacked, python},
    scenarios::{Large, Life, Scenario},
};

/// MiB, for a guest with servers, or with a second engine.
const SERVES: u32 = 2048;
/// MiB: the initramfs that switches to the root is small, and freed.
const ON_DISKS: u32 = 1024;

/// Boots the guest and runs its checks, in each of its lives.
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
        machine
            .append
            .extend(life.append.iter().map(ToString::to_string));
        machine.name += life.name.trim_end_matches(':');
        // The results of a guest that died are kept; a second start replaces them.
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
    roots::outcome(machine, checks, stopped, &notes)
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
            let _ = *python::DOCKER; // Fetched now, so that its progress does not mix with the report.
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
        unsigned_modules: false,
        extra: image::changes(large.image, &bench.probe, &roots)?,
        format: scenario.root.format(),
    };
    let image = image.built()?;
    let drive = Drive::kept_root(image.clone(), scenario.name)?;
    let mut machine = roots::machine(scenario, bench, kit, &image, drive, large.disks)?;
    machine
        .drives
        .extend(nested::drives(scenario, large, bench)?);
    if !machine.drives.is_empty() {
        machine.memory = ON_DISKS;
    }
    machine.append = large
        .address
        .iter()
        .chain(scenario.append)
        .map(ToString::to_string)
        .collect();
    machine.arguments = launch::DAEMON
        .iter()
        .chain(scenario.words)
        .map(ToString::to_string)
        .collect();
    machine.forwards = vec![launch::PORT, PUBLISHED];
    machine.memory = if large.prerequisites || !large.inner.is_empty() {
        SERVES
    } else {
        machine.memory
    };
    Ok(machine)
}

/// What is kept across the lives of a guest.
#[derive(Clone, Copy)]
struct Across<'a> {
    promised: &'a RefCell<Vec<String>>,
    notes: &'a RefCell<Vec<String>>,
}

/// Runs the chosen checks, as long as the guest lives.
fn ask(
    guest: &Guest,
    large: &Large,
    life: &Life,
    chosen: &[String],
    busybox: &Path,
    across: Across,
    checks: &mut Checks,
) -> Result<()> {
    guest.wait_for_line("dockerd to listen", launch::READY, launch::listens)?;
    let mut engine = Engine::connect(guest.port(launch::PORT)?)?;
    engine.wait_ready(launch::ANSWER, || guest.alive())?;
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
        checks.insert(name.to_owned(), reported(guest, verdict));
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

/// Presses the power button, and checks how the guest ends. If nothing is expected, its power is cut.
fn end(guest: &Guest, machine: &Machine, life: &Life, checks: &mut Checks) -> Result<()> {
    if life.end.is_empty() {
        return guest.quit().map(drop);
    }
    guest.press_power_button()?;
    let exit = guest.wait_exit(launch::OFF_WITHIN)?;
    let seen = Seen {
        console: console(guest),
        told: guest.told(),
        reason: exit.reason,
        disks: machine.kept(),
        ..Seen::default()
    };
    for expect in life.end.iter().copied().flatten() {
        checks.insert(expect.name(), reported(guest, expect.check(&seen)));
    }
    Ok(())
}

/// A check's result for the report.
fn reported(guest: &Guest, verdict: Result<()>) -> Result<(), Reason> {
    verdict.map_err(|error| match error.downcast::<CannotRun>() {
        Ok(CannotRun(reason)) => Reason::CannotRun(reason),
        Err(error) => {
            let console = guest.console_path().display();
            Reason::Failed(format!("{error:#}\nthe console: {console}"))
        }
    })
}
