//! A small scenario: a small image with the probe in it, one boot, and the expectations compared with what it left.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};

use super::{
    bench::{Bench, Kit},
    outcome::{Checks, Outcome, Reason},
    roots,
};
use crate::{
    checks::seen::Seen,
    disks::{Drive, ROOT, Table, inspect},
    image::{self, Change, Format, Group, Image},
    machine::{Guest, Machine},
    scenarios::{self, Boot, Ends, Scenario, Small, Step},
};

/// The probe in place of dockerd.
const DAEMON: &[Change] = &[Change::Probe("usr/sbin/dockerd", 0o755)];
/// The probe needs none of Docker's prerequisites. A scenario's own word comes later, and counts.
const NOT_LOOKED_FOR: &str = "DOCKER_LAUNCH_PREREQUISITES=skip";
/// This root has a UUID, another one for each new image.
const ON_EXT4: scenarios::Root = scenarios::Root::Switch(Format::Disk, Table::None);
/// MiB: the probe needs a few, the kernel the rest.
const MEMORY: u32 = 512;
/// Two to four seconds, emulated, on a machine that does nothing else.
const ENDS_WITHIN: Duration = Duration::from_secs(180);
/// How long a step may wait.
const STEP_WITHIN: Duration = Duration::from_secs(90);

/// Boots the guest as often as its row says, and checks what is expected. Each power cut is independent: only the chosen ones are
/// made.
pub(super) fn run(machine: &Machine, small: &Small, chosen: &[String]) -> Outcome {
    let (mut checks, mut notes) = (Checks::new(), Vec::new());
    let mut before = None;
    let mut stopped = None;
    let is_chosen = |boot: &Boot| {
        boot.cut.is_none() || chosen.iter().any(|check| check.starts_with(&boot.name))
    };
    for boot in small.boots().into_iter().filter(is_chosen) {
        let mut machine = machine.clone();
        machine.fresh = boot.fresh;
        machine.name += boot.name.trim_end_matches(':');
        let cut = |after: u32| {
            let mut machine = machine.clone();
            machine.fresh = true;
            machine.cut(Duration::from_millis(after.into()))
        };
        if let Some(Err(error)) = boot.cut.map(cut) {
            stopped = Some(format!("{error:#}"));
            break;
        }
        let (guest, mut seen) = match machine.boot(|guest| watch(guest, &machine, small)) {
            Ok((guest, seen, note)) => {
                notes.extend(note);
                (guest, seen)
            }
            Err(error) => {
                stopped = Some(format!("{error:#}"));
                break;
            }
        };
        seen.before = before;
        for expect in boot.expect.iter().copied().flatten() {
            let failed = |error| {
                let console = guest.console_path().display();
                Reason::Failed(format!("{error:#}\nthe console: {console}"))
            };
            let name = boot.name.clone() + &expect.name();
            checks.insert(name, expect.check(&seen).map_err(failed));
        }
        before = seen.report;
    }
    roots::outcome(machine, checks, stopped, &notes)
}

pub(super) fn machine(
    scenario: &Scenario,
    small: &Small,
    bench: &Bench,
    kit: &Kit,
) -> Result<Machine> {
    let image = image(scenario, small, bench, kit)?;
    let drive = match small.ends {
        Ends::Lived => Drive::kept_root(image.clone(), scenario.name)?,
        Ends::Reported | Ends::Refused => Drive::root(image.clone()),
    };
    let mut machine = roots::machine(scenario, bench, kit, &image, drive, small.disks)?;
    if let (scenarios::Root::Switch(..), Some(root)) = (scenario.root, machine.drives.first_mut()) {
        let plugs = |step: &Step| matches!(step, Step::Plug(ROOT));
        root.late = small.steps.iter().any(plugs);
        root.protected = small.protected;
    }
    let init = scenario.append.iter();
    if let Some(init) = init.filter_map(|word| word.strip_prefix("init=")).next() {
        machine.init = init.to_owned();
    }
    machine.clock = small.clock;
    let append = [NOT_LOOKED_FOR].iter().chain(scenario.append);
    let append = append.map(ToString::to_string);
    machine.append = match machine.drives.first() {
        Some(drive) if scenario.root == ON_EXT4 => {
            let uuid = inspect::uuid(drive.original.as_ref().unwrap_or(&drive.path))?;
            append.map(|word| word.replace("{root}", &uuid)).collect()
        }
        _ => append.collect(),
    };
    machine.arguments = scenario.words.iter().map(ToString::to_string).collect();
    machine.memory = if stands_in(small) {
        MEMORY
    } else {
        machine.memory
    };
    machine.network = small.groups.contains(&Group::Modules);
    Ok(machine)
}

fn image(scenario: &Scenario, small: &Small, bench: &Bench, kit: &Kit) -> Result<PathBuf> {
    let changes = DAEMON.iter().filter(|_| stands_in(small));
    let changes = changes.chain(small.image);
    let extra = image::changes(changes, &bench.probe, &[&kit.packages])?;
    let groups = small.groups;
    let image = Image {
        name: name(scenario, small),
        packages: &kit.packages,
        more: None,
        program: bench.program(scenario),
        groups,
        unsigned_modules: small.unsigned_modules,
        extra,
        format: scenario.root.format(),
    };
    image.built()
}

/// Whether the probe is there in place of dockerd.
fn stands_in(small: &Small) -> bool {
    !small.groups.contains(&Group::Engine)
}

/// Scenarios with the same image share its file.
fn name(scenario: &Scenario, small: &Small) -> String {
    if !stands_in(small) {
        scenario.name.to_owned()
    } else if small.image.is_empty() && scenario.features.is_none() {
        let groups: Vec<String> = small.groups.iter().map(|group| group.name()).collect();
        format!("probe-{}-{}", scenario.suite.name(), groups.join("-"))
    } else {
        format!("probe-{}", scenario.name)
    }
}

/// Takes the steps and waits for the guest's end. A wrong end is an error, so that the caller looks for a fault of the emulator.
fn watch(guest: &Guest, machine: &Machine, small: &Small) -> Result<Seen> {
    for step in small.steps {
        take(guest, step).with_context(|| format!("{step:?}"))?;
    }
    let reason = guest.wait_exit(ENDS_WITHIN)?.reason;
    ensure!(
        guest
            .console()
            .iter()
            .any(|line| line.text.contains(" as init process")),
        "the guest ended before PID 1 was started"
    );
    let told = guest.told();
    let received = guest.wait_for_report("the probe's report", Duration::ZERO, |bytes| {
        Some(probe::unframe(bytes))
    })?;
    let report = match (small.ends, received) {
        (Ends::Reported | Ends::Lived, Ok(report)) => Some(report),
        (Ends::Refused | Ends::Lived, Err(probe::Unframed::Nothing))
            if told.is_empty() || small.ends == Ends::Lived =>
        {
            None
        }
        (Ends::Refused, _) => {
            return Err(anyhow!(
                "the daemon was started, although the boot had to fail"
            ));
        }
        (_, Err(error)) => return Err(anyhow!(error)),
    };
    Ok(Seen {
        report,
        console: guest.console().into_iter().map(|line| line.text).collect(),
        told,
        reason,
        disks: machine.kept(),
        before: None,
    })
}

fn take(guest: &Guest, step: &Step) -> Result<()> {
    match *step {
        Step::Console(words) => {
            let wanted = |line: &str| words.iter().all(|word| line.contains(word));
            guest
                .wait_for_line("this line of the console", STEP_WITHIN, wanted)
                .map(drop)
        }
        Step::Told(line) => guest.wait_until_told(line, STEP_WITHIN),
        Step::Keys(keys) => guest.press_keys(keys),
        Step::PowerButton => guest.press_power_button(),
        Step::Plug(name) => guest.plug(name),
        Step::Type(text) => guest.type_text(text),
        Step::Cut => guest.quit().map(drop),
    }
}
