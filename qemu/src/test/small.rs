//! A small scenario: a small image with the probe in it, one boot, and the expectations compared with what it left.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use super::guests::{Bench, Checks, Kit, Outcome, discard_disk};
use crate::{
    checks::{expect::Expect, seen::Seen},
    image::{Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root, Written},
    scenarios::{self, Change, Ends, Scenario, Small, Step},
};

/// Where dockerd is.
const DAEMON: &str = "usr/sbin/dockerd";
/// The probe needs nothing of what Docker needs. A scenario's own word stands behind it, and counts.
const NOT_LOOKED_FOR: &str = "DOCKER_LAUNCH_PREREQUISITES=skip";
/// MiB: the probe needs a few, the kernel the rest.
const MEMORY: u32 = 512;
/// Two to four seconds, emulated, on a machine that does nothing else.
const ENDS_WITHIN: Duration = Duration::from_secs(180);
/// What a step waits for.
const STEP_WITHIN: Duration = Duration::from_secs(90);

/// Boots it, and compares.
pub(super) fn run(machine: &Machine, small: &Small) -> Outcome {
    match machine.boot(|guest| watch(guest, small)) {
        Ok((guest, seen, note)) => {
            let verdict = |expect: &Expect| {
                let failed =
                    |error| format!("{error:#}\nthe console: {}", guest.console_path().display());
                (expect.name(), expect.check(&seen).map_err(failed))
            };
            let expected = small.expect.iter().copied().flatten();
            let checks: Checks = expected.map(verdict).collect();
            discard_disk(&guest, &checks);
            Outcome::Ran {
                checks,
                stopped: None,
                note,
            }
        }
        Err(error) => Outcome::Ran {
            checks: Checks::new(),
            stopped: Some(format!("{error:#}")),
            note: None,
        },
    }
}

pub(super) fn machine(
    scenario: &Scenario,
    small: &Small,
    bench: &Bench,
    kit: &Kit,
) -> Result<Machine> {
    let image = image(scenario, small, bench, kit)?;
    let root = match scenario.root {
        scenarios::Root::Disk => Root::Disk(Drive {
            path: image,
            written: if small.ends == Ends::Lived {
                Written::KeptInCopy
            } else {
                Written::Lost
            },
        }),
        scenarios::Root::Initramfs => Root::Initramfs(image),
    };
    let mut machine = Machine::new(scenario.name, kit.kernel.clone(), root, kit.acceleration);
    machine.append = [NOT_LOOKED_FOR]
        .iter()
        .chain(scenario.append)
        .map(ToString::to_string)
        .collect();
    machine.arguments = scenario.words.iter().map(ToString::to_string).collect();
    machine.memory = MEMORY;
    machine.network = small.groups.contains(&Group::Modules);
    machine.verbose = bench.verbose;
    Ok(machine)
}

fn image(scenario: &Scenario, small: &Small, bench: &Bench, kit: &Kit) -> Result<PathBuf> {
    let daemon = Change::Probe(DAEMON, 0o755);
    let extra = [&daemon].into_iter().chain(small.image);
    let format = match scenario.root {
        scenarios::Root::Disk => Format::Disk,
        scenarios::Root::Initramfs => Format::Initramfs,
    };
    let groups = small.groups;
    let image = Image {
        name: name(scenario, small),
        packages: &kit.packages,
        program: bench.program(scenario),
        groups,
        extra: extra.map(|change| bench.entry(change)).collect(),
        format,
    };
    image.built()
}

/// Scenarios with the same image share its file.
fn name(scenario: &Scenario, small: &Small) -> String {
    if small.image.is_empty() && scenario.features.is_none() {
        let groups: Vec<&str> = small.groups.iter().map(|group| group.name()).collect();
        format!("probe-{}-{}", scenario.suite.name(), groups.join("-"))
    } else {
        format!("probe-{}", scenario.name)
    }
}

/// Does the steps and waits for the guest's end. That it ended in the wrong way is for the emulator's faults to be looked for, too.
fn watch(guest: &Guest, small: &Small) -> Result<Seen> {
    for step in small.steps {
        take(guest, step).with_context(|| format!("{step:?}"))?;
    }
    let reason = guest.wait_exit(ENDS_WITHIN)?.reason;
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
        disk: guest.disk().map(Path::to_owned),
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
        Step::Type(text) => guest.type_text(text),
        Step::Cut => guest.quit().map(drop),
    }
}
