//! What guests are made of: programs, packages, a kernel and how it runs here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{chosen::Chosen, outcome::Checks};
use crate::{
    commands::common::Common,
    image::{self, Image},
    machine::{Machine, acceleration::Acceleration, trial},
    packages::{Unpacked, suites::Suite},
    program::{self, Features},
    scenarios::Scenario,
};

/// The programs and options of all guests.
pub(super) struct Bench {
    pub(super) program: PathBuf,
    /// Programs with the features that scenarios ask for.
    others: BTreeMap<&'static [&'static str], PathBuf>,
    pub(super) probe: PathBuf,
    pub(super) mirror: String,
    pub(super) verbose: bool,
}

impl Bench {
    pub(super) fn new(chosen: &[Chosen], program: PathBuf, common: &Common) -> Result<Self> {
        let features: BTreeSet<_> = chosen
            .iter()
            .filter_map(|chosen| chosen.scenario.features)
            .collect();
        let other = |features: &'static [&str]| {
            let list = features.iter().map(ToString::to_string).collect();
            Ok((
                features,
                program::built(&Features::Only(list), &common.mirror)?,
            ))
        };
        Ok(Self {
            program,
            others: features.into_iter().map(other).collect::<Result<_>>()?,
            probe: program::probe()?,
            mirror: common.mirror.clone(),
            verbose: common.verbose,
        })
    }

    pub(super) fn program(&self, scenario: &Scenario) -> &Path {
        let other = scenario
            .features
            .and_then(|features| self.others.get(features));
        other.unwrap_or(&self.program)
    }

    /// The initramfs that switches to a root which needs drivers.
    pub(super) fn initramfs(&self, scenario: &Scenario, kit: &Kit) -> Result<PathBuf> {
        let program = self.program(scenario);
        Image::switching(scenario.suite.name(), &kit.packages, program).built()
    }
}

/// A suite's packages, its kernel, and how that runs here.
pub(super) struct Kit {
    pub(super) packages: Unpacked,
    pub(super) kernel: PathBuf,
    pub(super) acceleration: Acceleration,
}

/// Fetches the suite's packages, and tries how its kernel runs here.
pub(super) fn kit(suite: Suite, mirror: &str) -> Result<Kit> {
    let packages = suite.unpacked(mirror)?;
    let kernel = image::kernel(&packages)?;
    let (acceleration, _) = trial::find(&kernel)?;
    Ok(Kit {
        packages,
        kernel,
        acceleration,
    })
}

/// Removes the disks, unless a check has failed: then somebody may want to look at them.
pub(super) fn discard_disks(machine: &Machine, checks: &Checks) {
    if checks.values().all(Result::is_ok) {
        for drive in machine.kept() {
            let _ = fs::remove_file(drive.path); // The next start replaces it.
        }
    }
}
