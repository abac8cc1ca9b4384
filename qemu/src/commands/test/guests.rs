//! Runs the guests, and reports each check as a test: one boot answers many checks. Guests run in threads of their own, and the
//! checks wait for their guest. Small guests come first, because they tell most for their time; then those with engines in
//! containers and those with the most checks, so that no guest runs alone for long at the end.

use std::{
    any::Any,
    cmp::Reverse,
    collections::BTreeMap,
    num::NonZero,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Result;
use libtest_mimic::{Completion, Failed, Trial};

use super::{
    bench::{Bench, Kit, kit},
    booted::Booted,
    chosen::{Chosen, full},
    large,
    outcome::{Checks, Outcome, Reason, Unmade},
    queue::{self, Room},
    small,
};
use crate::{
    commands::common::Common,
    machine::Machine,
    report::{self, Ignored, Tally},
    scenarios::{Scenario, Size},
};

type Slot = Arc<OnceLock<Outcome>>;

/// A guest that is ready to be started.
struct Job {
    name: &'static str,
    size: Size,
    chosen: Vec<String>,
    machine: Machine,
    /// For the engine's image.
    busybox: PathBuf,
    slot: Slot,
}

/// QEMU's own memory beside the guest's, in MiB: most of it is translated code.
const QEMU: u32 = 512;
/// How many of the longest guests a note names.
const NAMED: usize = 5;

/// Running guests, and the outcome of those that have ended.
pub(super) struct Running {
    slots: Vec<(Chosen, Slot)>,
    /// Whether a guest has reached PID 1.
    booted: Vec<(&'static str, Arc<AtomicBool>)>,
    runner: JoinHandle<Vec<(&'static str, Duration)>>,
}

/// Starts the guests, as many at the same time as there is room for; returns nothing if none is chosen.
pub(super) fn start(
    mut chosen: Vec<Chosen>,
    at_once: Option<NonZero<usize>>,
    program: PathBuf,
    common: &Common,
) -> Result<Option<Running>> {
    if chosen.is_empty() {
        return Ok(None);
    }
    let room = Room::find(at_once)?;
    let bench = Bench::new(&chosen, program, common)?;
    // A large guest spends its time on its checks, most of it on engines in its containers.
    chosen.sort_by_key(|chosen| match chosen.scenario.size {
        Size::Small(_) => None,
        Size::Large(large) => Some(Reverse((!large.inner.is_empty(), chosen.checks.len()))),
    });
    let slots: Vec<(Chosen, Slot)> = chosen
        .into_iter()
        .map(|chosen| (chosen, Slot::default()))
        .collect();
    let jobs = prepare(&slots, &bench);
    let booted = |job: &Job| (job.name, Arc::clone(&job.machine.reached_pid_1));
    let booted = jobs.iter().map(booted).collect();
    let jobs = jobs
        .into_iter()
        .map(|job| (u64::from(job.machine.memory + QEMU), job));
    let jobs: Vec<(u64, Job)> = jobs.collect();
    let runner = thread::spawn(move || queue::empty(jobs, &room, Job::run));
    Ok(Some(Running {
        slots,
        booted,
        runner,
    }))
}

impl Running {
    /// Prints a line for each check once its guest has ended; returns also how many guests have booted.
    pub(super) fn shown(self) -> (Tally, Booted) {
        let ignored = Ignored::default();
        let trials = self.slots.iter().flat_map(|(chosen, slot)| {
            chosen.checks.iter().map(|check| {
                trial(
                    chosen.scenario,
                    check.clone(),
                    Arc::clone(slot),
                    ignored.clone(),
                )
            })
        });
        let mut tally = report::shown(trials.collect(), &ignored);
        let durations = self.runner.join().expect("a guest's panic is caught");

        let notes = self.slots.iter().filter_map(|(_, slot)| match slot.get() {
            Some(Outcome::Ran { note, .. }) => note.clone(),
            _ => None,
        });
        tally.notes.extend(notes.chain(longest(durations)));
        let allowed = self
            .slots
            .iter()
            .filter(|(_, slot)| match slot.get() {
                Some(Outcome::CannotRun(missing)) => missing.is_allowed(),
                _ => false,
            })
            .count();
        let reached = |name: &str| {
            let mut booted = self.booted.iter();
            booted.any(|(other, reached)| *other == name && reached.load(Ordering::Relaxed))
        };
        let names = self.slots.iter().map(|(chosen, _)| chosen.scenario.name);
        let (reached, missing): (Vec<_>, Vec<_>) = names.partition(|name| reached(name));
        let booted = Booted {
            count: reached.len(),
            missing,
            allowed,
        };
        (tally, booted)
    }
}

/// Makes all images before the first guest is started, so that their progress does not mix with the report. A guest whose image
/// cannot be made gets its outcome here.
fn prepare(slots: &[(Chosen, Slot)], bench: &Bench) -> Vec<Job> {
    let mut kits: BTreeMap<&str, Result<Kit, Unmade>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for (Chosen { scenario, checks }, slot) in slots {
        let kit = kits
            .entry(scenario.suite.name())
            .or_insert_with(|| kit(scenario.suite, &bench.mirror).map_err(Unmade::from));
        let made = kit.as_ref().map_err(Unmade::clone).and_then(|kit| {
            let machine = match &scenario.size {
                Size::Small(size) => small::machine(scenario, size, bench, kit),
                Size::Large(size) => large::machine(scenario, size, bench, kit),
            }?;
            Ok(Job {
                name: scenario.name,
                size: scenario.size,
                chosen: checks.clone(),
                machine,
                busybox: kit.packages.root.join("usr/bin/busybox"),
                slot: Arc::clone(slot),
            })
        });
        match made {
            Ok(job) => jobs.push(job),
            Err(unmade) => slot
                .set(unmade.into())
                .expect("nothing else has set it yet"),
        }
    }
    jobs
}

impl Job {
    /// Runs the guest; returns its name and how long it took.
    fn run(self) -> (&'static str, Duration) {
        let started = Instant::now();
        let outcome = caught(|| match &self.size {
            Size::Small(size) => small::run(&self.machine, size, &self.chosen),
            Size::Large(size) => large::run(&self.machine, size, &self.chosen, &self.busybox),
        });
        self.slot.set(outcome).expect("a job is in the queue once");
        (self.name, started.elapsed())
    }
}

/// A panic of the harness fails its guest, and no other.
fn caught(run: impl FnOnce() -> Outcome) -> Outcome {
    let message = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<&str>().copied();
        let owned = || panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(owned).unwrap_or("no message").to_owned()
    };
    // Nothing that the panic leaves unfinished is used again.
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Outcome::Ran {
        checks: Checks::new(),
        stopped: Some(format!("the harness panicked: {}", message(panic))),
        note: None,
    })
}

/// The longest guests, if there is more than one.
fn longest(mut durations: Vec<(&'static str, Duration)>) -> Option<String> {
    durations.sort_by_key(|(_, took)| Reverse(*took));
    let named: Vec<String> = durations
        .iter()
        .take(NAMED)
        .map(|(name, took)| format!("{name} {:.0} s", took.as_secs_f64()))
        .collect();
    let sum: Duration = durations.iter().map(|(_, took)| took).sum();
    (durations.len() > 1).then(|| {
        format!(
            "{} guests took {:.0} s in total; the longest: {}",
            durations.len(),
            sum.as_secs_f64(),
            named.join(", ")
        )
    })
}

/// One line of the report, which waits for the guest.
fn trial(scenario: &'static Scenario, check: String, slot: Slot, ignored: Ignored) -> Trial {
    let name = full(scenario, &check);
    Trial::ignorable_test(name.clone(), move || match slot.wait() {
        Outcome::CannotRun(reason) => ignored.because(&name, reason),
        Outcome::Ran {
            checks, stopped, ..
        } => match (checks.get(&check), stopped) {
            (Some(Ok(())), _) => Ok(Completion::Completed),
            (Some(Err(Reason::CannotRun(reason))), _) => ignored.because(&name, reason),
            (Some(Err(Reason::Failed(reason))), _) => Err(Failed::from(reason)),
            (None, Some(reason)) => Err(Failed::from(format!("not reached: {reason}"))),
            (None, None) => Err(Failed::from(
                "the guest ran without this check: the table and the code that walks it differ",
            )),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_fails_its_own_guest() {
        for (outcome, message) in [
            (caught(|| panic!("on purpose")), "on purpose"),
            (caught(|| panic!("number {}", 7)), "number 7"),
        ] {
            let Outcome::Ran { stopped, .. } = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(stopped, Some(format!("the harness panicked: {message}")));
        }
    }

    #[test]
    fn the_longest_guest_is_named_first() {
        let took = |name, seconds| (name, Duration::from_secs(seconds));
        let told = longest(vec![took("a", 1), took("b", 30)]);
        assert_eq!(
            told.unwrap(),
            "2 guests took 31 s in total; the longest: b 30 s, a 1 s"
        );
        assert_eq!(longest(vec![took("a", 1)]), None);
    }
}
