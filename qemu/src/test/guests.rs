//! Runs the guests, and shows each check as a test: one boot answers many checks. Guests run in threads of their own,
//! small ones a few at a time and large ones alone; the checks stand in the table's order and wait for their guest.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{Chosen, large, small};
use crate::{
    Common,
    image::{self, Format, Image, table::Group},
    machine::{
        Machine,
        acceleration::{self, Acceleration},
    },
    packages::Unpacked,
    report::Tally,
    scenarios::{Scenario, Size},
    suites::Suite,
    toolchain::{self, Features},
};

/// What every guest is made with.
pub(super) struct Bench {
    program: PathBuf,
    /// By their features: what scenarios ask for instead.
    others: BTreeMap<&'static [&'static str], PathBuf>,
    pub(super) probe: PathBuf,
    pub(super) mirror: String,
    pub(super) verbose: bool,
}

impl Bench {
    fn new(chosen: &[Chosen], program: PathBuf, common: &Common) -> Result<Self> {
        let features: BTreeSet<_> = chosen
            .iter()
            .filter_map(|chosen| chosen.scenario.features)
            .collect();
        let other = |features: &'static [&str]| {
            let list = features.iter().map(ToString::to_string).collect();
            Ok((
                features,
                toolchain::built(&Features::Only(list), &common.mirror)?,
            ))
        };
        Ok(Self {
            program,
            others: features.into_iter().map(other).collect::<Result<_>>()?,
            probe: toolchain::probe()?,
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

    /// What goes on to a root that needs drivers.
    pub(super) fn initramfs(&self, scenario: &Scenario, kit: &Kit) -> Result<PathBuf> {
        let image = Image {
            name: format!("switch-{}", scenario.suite.name()),
            packages: &kit.packages,
            more: None,
            program: self.program(scenario),
            groups: Group::INITRAMFS,
            extra: Vec::new(),
            format: Format::Initramfs,
        };
        image.built()
    }
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
    Ran {
        checks: Checks,
        stopped: Option<String>,
        note: Option<String>,
    },
    /// Nothing could be booted: no packages, no image.
    CannotRun(String),
}

pub(super) type Checks = BTreeMap<String, Result<(), Reason>>;

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Reason {
    Failed(String),
    /// Something that it alone needs is not to be had.
    CannotRun(String),
}
type Slot = Arc<OnceLock<Outcome>>;

/// A guest that is ready to be started.
struct Job {
    size: Size,
    chosen: Vec<String>,
    machine: Machine,
    /// For the engine's image.
    busybox: PathBuf,
    slot: Slot,
}

pub(super) fn run(
    chosen: Vec<Chosen>,
    at_once: NonZero<usize>,
    program: PathBuf,
    common: &Common,
) -> Result<Tally> {
    if chosen.is_empty() {
        return Ok(Tally::default());
    }
    let bench = Bench::new(&chosen, program, common)?;
    let slots: Vec<(Chosen, Slot)> = chosen
        .into_iter()
        .map(|chosen| (chosen, Slot::default()))
        .collect();
    let jobs = prepare(&slots, &bench);
    let (small, large) = jobs
        .into_iter()
        .partition::<VecDeque<Job>, _>(|job| matches!(job.size, Size::Small(_)));
    let runner = thread::spawn(move || {
        work(small, at_once.get());
        work(large, 1);
    });

    let ignored = Arc::new(Mutex::new(Vec::new()));
    let trials = slots.iter().flat_map(|(chosen, slot)| {
        chosen.checks.iter().map(|check| {
            trial(
                chosen.scenario,
                check.clone(),
                Arc::clone(slot),
                Arc::clone(&ignored),
            )
        })
    });
    // One thread shows them in order; the work is done elsewhere.
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::default()
    };
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    runner.join().expect("a panic would have ended the program");

    let notes = slots.iter().filter_map(|(_, slot)| match slot.get() {
        Some(Outcome::Ran { note, .. }) => note.clone(),
        _ => None,
    });
    let ignored = std::mem::take(&mut *ignored.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Tally {
        passed: conclusion.num_passed,
        failed: conclusion.num_failed,
        ignored,
        notes: notes.collect(),
    })
}

/// Makes all images before the first guest is started, so that their progress does not mix with the report. What cannot be
/// made has its outcome already.
fn prepare(slots: &[(Chosen, Slot)], bench: &Bench) -> Vec<Job> {
    let mut kits: BTreeMap<&str, Result<Kit, String>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for (Chosen { scenario, checks }, slot) in slots {
        let kit = kits
            .entry(scenario.suite.name())
            .or_insert_with(|| kit(scenario.suite, &bench.mirror));
        let made = kit.as_ref().map_err(String::clone).and_then(|kit| {
            let machine = match &scenario.size {
                Size::Small(size) => small::machine(scenario, size, bench, kit),
                Size::Large(size) => large::machine(scenario, size, bench, kit),
            };
            let machine = machine.map_err(|error| format!("no image: {error:#}"))?;
            Ok(Job {
                size: scenario.size,
                chosen: checks.clone(),
                machine,
                busybox: kit.packages.root.join("usr/bin/busybox"),
                slot: Arc::clone(slot),
            })
        });
        match made {
            Ok(job) => jobs.push(job),
            Err(reason) => slot
                .set(Outcome::CannotRun(reason))
                .expect("nothing else has set it yet"),
        }
    }
    jobs
}

/// The suite's packages, and how its kernel runs here.
fn kit(suite: Suite, mirror: &str) -> Result<Kit, String> {
    let find = || {
        let packages = suite.unpacked(mirror)?;
        let kernel = image::kernel(&packages)?;
        let (acceleration, _) = acceleration::find(&kernel)?;
        Ok(Kit {
            packages,
            kernel,
            acceleration,
        })
    };
    find().map_err(|error: anyhow::Error| format!("{error:#}"))
}

/// Empties the queue with so many threads.
fn work(queue: VecDeque<Job>, threads: usize) {
    let queue = Mutex::new(queue);
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let outcome = match &job.size {
                        Size::Small(size) => small::run(&job.machine, size),
                        Size::Large(size) => {
                            large::run(&job.machine, size, &job.chosen, &job.busybox)
                        }
                    };
                    job.slot.set(outcome).expect("a job is in the queue once");
                }
            });
        }
    });
}

/// Disks are kept only where something of them may be looked for.
pub(super) fn discard_disks(machine: &Machine, checks: &Checks) {
    if checks.values().all(Result::is_ok) {
        for drive in machine.kept() {
            let _ = fs::remove_file(drive.path); // The next start replaces it.
        }
    }
}

/// One line of the report: it waits for the guest.
fn trial(
    scenario: &'static Scenario,
    check: String,
    slot: Slot,
    ignored: Arc<Mutex<Vec<(String, String)>>>,
) -> Trial {
    let name = format!("{}/{check}", scenario.name);
    Trial::ignorable_test(name.clone(), move || {
        let cannot_run = |reason: &String| {
            ignored
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((name.clone(), reason.clone()));
            Ok(Completion::ignored_with("see below"))
        };
        match slot.wait() {
            Outcome::CannotRun(reason) => cannot_run(reason),
            Outcome::Ran {
                checks, stopped, ..
            } => match (checks.get(&check), stopped) {
                (Some(Ok(())), _) => Ok(Completion::Completed),
                (Some(Err(Reason::CannotRun(reason))), _) => cannot_run(reason),
                (Some(Err(Reason::Failed(reason))), _) => Err(Failed::from(reason)),
                (None, Some(reason)) => Err(Failed::from(format!("not reached: {reason}"))),
                (None, None) => Err(Failed::from(
                    "the guest ran, but not this check: the table and its walk differ",
                )),
            },
        }
    })
}
