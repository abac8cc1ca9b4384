//! What all tests came to: counted, with a name for whatever did not run, and one last line.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What may stay away even where nothing else may: the beginning of its name, why, and since when.
const MAY_BE_IGNORED: &[(&str, &str, &str)] = &[
    (
        "sid-",
        "sid moves: on some days its packages do not fit together",
        "2026-11-23",
    ),
    (
        "initramfs-sid/",
        "sid moves: on some days its packages do not fit together",
        "2026-11-23",
    ),
];

/// A result of tests, of one kind or of all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What did not run: its name and why.
    pub(crate) ignored: Vec<(String, String)>,
    /// What the reader should know although nothing failed by it.
    pub(crate) notes: Vec<String>,
}

/// What trials tell of themselves when they cannot run.
#[derive(Clone, Default)]
pub(crate) struct Ignored(Arc<Mutex<Vec<(String, String)>>>);

impl Ignored {
    pub(crate) fn because(&self, name: &str, reason: &str) -> Result<Completion, Failed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((name.to_owned(), reason.to_owned()));
        Ok(Completion::ignored_with("see below"))
    }
}

/// Runs them in their order, one at a time, a line for each.
pub(crate) fn shown(trials: Vec<Trial>, ignored: &Ignored) -> Tally {
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::default()
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    let mut ignored = ignored.0.lock().unwrap_or_else(PoisonError::into_inner);
    Tally {
        passed: conclusion.num_passed,
        failed: conclusion.num_failed,
        ignored: std::mem::take(&mut *ignored),
        notes: Vec::new(),
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored.extend(other.ignored);
        self.notes.extend(other.notes);
    }

    /// Prints it. `N passed, N failed` is the last line and stands alone, for whoever reads only that. Where nothing may
    /// stay away (`strict`), what was ignored without leave is failed.
    pub(crate) fn close(mut self, strict: bool) -> ExitCode {
        for note in &self.notes {
            println!("note: {note}");
        }
        for (name, reason) in &self.ignored {
            let leave = leave(name);
            let verdict = match leave {
                Some((_, why, since)) => format!("allowed since {since}: {why}"),
                None if strict => "failed: nothing may be ignored here".into(),
                None => "CI counts it as failed".into(),
            };
            self.failed += u64::from(strict && leave.is_none());
            println!("ignored: {name}: {reason} ({verdict})");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn leave(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    MAY_BE_IGNORED
        .iter()
        .find(|(beginning, ..)| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_list_has_leave() {
        assert!(leave("sid-disk/exec").is_some());
        assert!(leave("trixie-disk/exec").is_none());
    }

    #[test]
    fn what_was_ignored_fails_only_where_nothing_may_be() {
        let tally = |name: &str| Tally {
            passed: 1,
            ignored: vec![(name.into(), "no packages".into())],
            ..Tally::default()
        };
        assert_eq!(tally("trixie-disk/exec").close(false), ExitCode::SUCCESS);
        assert_eq!(tally("trixie-disk/exec").close(true), ExitCode::FAILURE);
        assert_eq!(tally("sid-disk/exec").close(true), ExitCode::SUCCESS);
    }
}
