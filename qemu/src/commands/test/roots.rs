//! What a scenario's guest starts from, and the disks beside it; and the outcome of its boots. The same for small and large
//! guests.

use std::path::Path;

use anyhow::Result;

use super::{
    bench::{Bench, Kit, discard_disks},
    outcome::{Checks, Outcome},
};
use crate::{
    disks::{self, Disk, Drive},
    machine::{Machine, Root},
    scenarios::{self, Scenario},
};

/// A new machine of the scenario with this image.
pub(super) fn machine(
    scenario: &Scenario,
    bench: &Bench,
    kit: &Kit,
    image: &Path,
    root_drive: Drive,
    more: &[Disk],
) -> Result<Machine> {
    let mut drives = Vec::new();
    let root = match scenario.root {
        scenarios::Root::Disk => Root::Disk(root_drive),
        scenarios::Root::ReadOnly => Root::ReadOnly(root_drive),
        scenarios::Root::Full => {
            let full = disks::full(image, scenario.name)?;
            Root::Disk(Drive::kept_root(full, scenario.name)?)
        }
        scenarios::Root::Initramfs => Root::Initramfs(image.to_owned()),
        scenarios::Root::Switch(_, table) => {
            drives.push(disks::on_virtio(root_drive, table)?);
            Root::Initramfs(bench.initramfs(scenario, kit)?)
        }
    };
    for disk in more {
        drives.push(disk.made(scenario.name)?);
    }
    let mut machine = Machine::new(scenario.name, kit.kernel.clone(), root, kit.acceleration);
    machine.drives = drives;
    machine.verbose = bench.verbose;
    Ok(machine)
}

/// The outcome of all boots. `stopped`: the error that ended them early.
pub(super) fn outcome(
    machine: &Machine,
    checks: Checks,
    stopped: Option<String>,
    notes: &[String],
) -> Outcome {
    if stopped.is_none() {
        discard_disks(machine, &checks);
    }
    Outcome::Ran {
        checks,
        stopped,
        note: (!notes.is_empty()).then(|| notes.join("\n")),
    }
}
