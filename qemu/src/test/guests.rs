//! Runs the guests, and shows each check as a test: one boot answers many checks. Guests run in threads of their own,
//! small ones a few at a time and large ones alone; the checks stand in the table's order and wait for their guest.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZero,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{Chosen, large, small};
use crate::{
    Common,
    image::{self},
    machine::acceleration::{self, Acceleration},
    packages::Unpacked,
    report::Tally,
    scenarios::{Scenario, Size},
    suites::Suite,
    toolchain,
};

/// What every guest is made with.
pub(super) struct Bench {
    pub(super) program: PathBuf,
    pub(super) probe: PathBuf,
    pub(super) verbose: bool,
    mirror: String,
    suites: BTreeMap<&'static str, OnceLock<Result<Kit, String>>>,
}

/// A suite's part.
pub(super) struct Kit {
    pub(super) packages: Unpacked,
    pub(super) kernel: PathBuf,
    pub(super) acceleration: Acceleration,
}

/// What came of a guest.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The checks it reached, and why it did not reach the others.
    Ran { checks: BTreeMap<String, Result<(), String>>, stopped: Option<String>, note: Option<String> },
    /// Nothing could be booted: no packages, no image.
    CannotRun(String),
}

type Slot = Arc<OnceLock<Outcome>>;
type Job = (&'static Scenario, Slot);

pub(super) fn run(chosen: Vec<Chosen>, jobs: NonZero<usize>, program: PathBuf, common: &Common) -> Result<Tally> {
    if chosen.is_empty() {
        return Ok(Tally::default());
    }
    let suites = Suite::ALL.iter().map(|suite| (suite.name(), OnceLock::new())).collect();
    let bench = Bench { program, probe: toolchain::probe()?, verbose: common.verbose, mirror: common.mirror.clone(), suites };
    let slots: Vec<(Chosen, Slot)> = chosen.into_iter().map(|chosen| (chosen, Slot::default())).collect();
    let queue = slots.iter().map(|(chosen, slot)| (chosen.scenario, Arc::clone(slot)));
    let (small, large) = queue.partition::<VecDeque<Job>, _>(|(scenario, _)| scenario.is_small());
    let runner = thread::spawn(move || {
        bench.work(small, jobs.get());
        bench.work(large, 1);
    });

    let ignored = Arc::new(Mutex::new(Vec::new()));
    let trials = slots.iter().flat_map(|(chosen, slot)| {
        chosen.checks.iter().map(|check| trial(chosen.scenario, check.clone(), Arc::clone(slot), Arc::clone(&ignored)))
    });
    // One thread shows them in order; the work is done elsewhere.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::default() };
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    runner.join().expect("a panic would have ended the program");

    let notes = slots.iter().filter_map(|(_, slot)| match slot.get() {
        Some(Outcome::Ran { note, .. }) => note.clone(),
        _ => None,
    });
    let ignored = std::mem::take(&mut *ignored.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Tally { passed: conclusion.num_passed, failed: conclusion.num_failed, ignored, notes: notes.collect() })
}

/// One line of the report: it waits for the guest.
fn trial(scenario: &'static Scenario, check: String, slot: Slot, ignored: Arc<Mutex<Vec<(String, String)>>>) -> Trial {
    let name = format!("{}/{check}", scenario.name);
    Trial::ignorable_test(name.clone(), move || match slot.wait() {
        Outcome::CannotRun(reason) => {
            ignored.lock().unwrap_or_else(PoisonError::into_inner).push((name, reason.clone()));
            Ok(Completion::ignored_with("see below"))
        }
        Outcome::Ran { checks, stopped, .. } => match (checks.get(&check), stopped) {
            (Some(Ok(())), _) => Ok(Completion::Completed),
            (Some(Err(reason)), _) => Err(Failed::from(reason)),
            (None, Some(reason)) => Err(Failed::from(format!("not reached: {reason}"))),
            (None, None) => Err(Failed::from("the guest ran, but not this check: the table and its walk differ")),
        },
    })
}

impl Bench {
    /// Empties the queue with so many threads.
    fn work(&self, queue: VecDeque<Job>, threads: usize) {
        let queue = Mutex::new(queue);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((scenario, slot)) = next() {
                        let _ = slot.set(self.outcome(scenario)); // Each slot is in the queue once.
                    }
                });
            }
        });
    }

    fn outcome(&self, scenario: &Scenario) -> Outcome {
        let kit = match self.kit(scenario.suite) {
            Ok(kit) => kit,
            Err(reason) => return Outcome::CannotRun(reason.clone()),
        };
        match scenario.size {
            Size::Small(size) => small::run(scenario, &size, self, kit),
            Size::Large(size) => large::run(scenario, &size, self, kit),
        }
    }

    /// The suite's packages, looked for once.
    fn kit(&self, suite: Suite) -> &Result<Kit, String> {
        self.suites[suite.name()].get_or_init(|| {
            let find = || {
                let packages = suite.unpacked(&self.mirror)?;
                let kernel = image::kernel(&packages)?;
                let (acceleration, _) = acceleration::find(&kernel)?;
                Ok(Kit { packages, kernel, acceleration })
            };
            find().map_err(|error: anyhow::Error| format!("{error:#}"))
        })
    }
}
