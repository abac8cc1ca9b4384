//! A small scenario: a small image with the probe in it, one boot, and the expectations compared with what it left.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, anyhow};

use super::guests::{Bench, Checks, Kit, Outcome};
use crate::{
    checks::{expect::Expect, seen::Seen},
    image::{
        Format, Image,
        table::Group,
        tree::{Content, Entry},
    },
    machine::{Drive, Guest, Machine, Root},
    scenarios::{self, Change, Ends, Scenario, Small},
};

/// Where dockerd is.
const DAEMON: &str = "usr/sbin/dockerd";
/// MiB: the probe needs a few, the kernel the rest.
const MEMORY: u32 = 512;
/// Two to four seconds, emulated, on a machine that does nothing else.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// Boots it, and compares.
pub(super) fn run(machine: &Machine, small: &Small) -> Outcome {
    match machine.boot(|guest| watch(guest, small.ends)) {
        Ok((guest, seen, note)) => {
            let verdict = |expect: &Expect| {
                let failed =
                    |error| format!("{error:#}\nthe console: {}", guest.console_path().display());
                (expect.name(), expect.check(&seen).map_err(failed))
            };
            let checks = small
                .expect
                .iter()
                .copied()
                .flatten()
                .map(verdict)
                .collect();
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
            keep: false,
        }),
        scenarios::Root::Initramfs => Root::Initramfs(image),
    };
    let mut machine = Machine::new(scenario.name, kit.kernel.clone(), root, kit.acceleration);
    machine.append = scenario.append.iter().map(ToString::to_string).collect();
    machine.arguments = scenario.words.iter().map(ToString::to_string).collect();
    machine.memory = MEMORY;
    machine.network = small.groups.contains(&Group::Modules);
    machine.verbose = bench.verbose;
    Ok(machine)
}

fn image(scenario: &Scenario, small: &Small, bench: &Bench, kit: &Kit) -> Result<PathBuf> {
    let probe = |mode| Entry {
        group: Group::Extra,
        mode,
        content: Content::File(bench.probe.clone()),
    };
    let mut extra = vec![(DAEMON.to_owned(), probe(0o755))];
    for change in small.image {
        let (path, entry) = match *change {
            Change::File(path, mode, content) => (path, Entry::bytes(Group::Extra, mode, content)),
            Change::Link(path, target) => (path, Entry::link(Group::Extra, target)),
            Change::Directory(path, mode) => (path, Entry::directory(Group::Extra, mode)),
            Change::Probe(path, mode) => (path, probe(mode)),
        };
        extra.push((path.to_owned(), entry));
    }
    let format = match scenario.root {
        scenarios::Root::Disk => Format::Disk,
        scenarios::Root::Initramfs => Format::Initramfs,
    };
    let groups = small.groups;
    let image = Image {
        name: name(scenario, small),
        packages: &kit.packages,
        program: &bench.program,
        groups,
        extra,
        format,
    };
    image.built()
}

/// Scenarios with the same image share its file.
fn name(scenario: &Scenario, small: &Small) -> String {
    if small.image.is_empty() {
        let groups: Vec<String> = small.groups.iter().map(|group| group.name()).collect();
        format!("probe-{}-{}", scenario.suite.name(), groups.join("-"))
    } else {
        format!("probe-{}", scenario.name)
    }
}

/// Waits for the guest's end. That it ended in the wrong way is for the emulator's faults to be looked for, too.
fn watch(guest: &Guest, ends: Ends) -> Result<Seen> {
    guest.wait_exit(ENDS_WITHIN)?;
    let received = guest.wait_for_report("the probe's report", Duration::ZERO, |bytes| {
        Some(probe::unframe(bytes))
    })?;
    let report = match (ends, received) {
        (Ends::Reported, Ok(report)) => Some(report),
        (Ends::Reported, Err(error)) => return Err(anyhow!(error)),
        (Ends::Refused, Err(probe::Unframed::Nothing)) => None,
        (Ends::Refused, _) => {
            return Err(anyhow!(
                "the daemon was started, although the boot had to fail"
            ));
        }
    };
    let console = guest.console().into_iter().map(|line| line.text).collect();
    Ok(Seen { report, console })
}
