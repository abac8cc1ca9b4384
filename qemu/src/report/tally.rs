//! The result of all tests: the counts, the name of every test that did not run, and one last line.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{
    leave::{self, Leave},
    missing::Missing,
};
use crate::host::{notes, strict};

/// The result of some tests, or of all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: Vec<Skipped>,
    /// What the reader should know although it failed no test.
    pub(crate) notes: Vec<String>,
}

/// A test that did not run.
#[derive(Debug, Clone)]
pub(crate) struct Skipped {
    pub(crate) name: String,
    pub(crate) missing: Missing,
}

/// Where a trial that cannot run puts its reason.
#[derive(Clone, Default)]
pub(crate) struct Ignored(Arc<Mutex<Vec<Skipped>>>);

impl Ignored {
    pub(crate) fn because(&self, name: &str, missing: &Missing) -> Result<Completion, Failed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Skipped {
            name: name.to_owned(),
            missing: missing.clone(),
        });
        Ok(Completion::ignored_with("see below"))
    }
}

/// Runs the trials in their order, one at a time, and prints a line for each.
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
        skipped: std::mem::take(&mut *ignored),
        notes: Vec::new(),
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.notes.extend(other.notes);
    }

    /// A failure that belongs to no test.
    pub(crate) fn fail(&mut self, what: &str) {
        println!("failed: {what}");
        self.failed += 1;
    }

    /// Prints the result; its last line is enough for a reader in a hurry. In a strict run, a test that was skipped without leave
    /// has failed, and so has a leave that is wrong or too old.
    pub(crate) fn close(mut self) -> ExitCode {
        self.notes.append(&mut notes::take());
        for note in &self.notes {
            println!("note: {note}");
        }
        self.judge(leave::TABLE, leave::today(), strict::is_on());
        println!("{}", self.last_line());
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn judge(&mut self, table: &[Leave], today: i64, strict: bool) {
        for fault in leave::faults(table, today) {
            if strict {
                self.fail(&fault);
            } else {
                println!("note: {fault}: CI counts this as failed");
            }
        }
        let skipped = std::mem::take(&mut self.skipped);
        for Skipped { name, missing } in skipped {
            let leave = missing.leave(table, today);
            let verdict = match leave {
                Some(Leave { since, why, .. }) => format!("allowed since {since}: {why}"),
                None if strict => "failed: this may not be skipped here".into(),
                None => "CI counts this as failed".into(),
            };
            println!("ignored: {name}: {} ({verdict})", missing.reason);
            if strict && leave.is_none() {
                self.failed += 1;
            } else {
                self.skipped.push(Skipped { name, missing });
            }
        }
    }

    /// `N passed, N failed`, and `, N skipped` if any are.
    fn last_line(&self) -> String {
        let line = format!("{} passed, {} failed", self.passed, self.failed);
        match self.skipped.len() {
            0 => line,
            skipped => format!("{line}, {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_800; // 2026-12-13
    const TABLE: &[Leave] = &[Leave {
        download: "sid",
        since: "2026-12-01",
        why: "it moves",
    }];

    fn last_line(download: Option<&str>, table: &[Leave], strict: bool) -> String {
        let missing = Missing {
            download: download.map(str::to_owned),
            reason: "no packages".into(),
        };
        let mut tally = Tally {
            passed: 1,
            skipped: vec![Skipped {
                name: "sid-disk/exec".into(),
                missing,
            }],
            ..Tally::default()
        };
        tally.judge(table, TODAY, strict);
        tally.last_line()
    }

    #[test]
    fn g2_only_a_listed_download_may_be_missing_in_a_strict_run() {
        for (download, strict, line) in [
            (Some("sid"), true, "1 passed, 0 failed, 1 skipped"),
            (Some("trixie"), true, "1 passed, 1 failed"),
            (None, true, "1 passed, 1 failed"),
            (Some("sid"), false, "1 passed, 0 failed, 1 skipped"),
            (Some("trixie"), false, "1 passed, 0 failed, 1 skipped"),
            (None, false, "1 passed, 0 failed, 1 skipped"),
        ] {
            assert_eq!(
                last_line(download, TABLE, strict),
                line,
                "{download:?} {strict}"
            );
        }
    }

    #[test]
    fn g2_a_wrong_leave_fails_a_strict_run_and_excuses_nothing() {
        let old = [Leave {
            since: "2026-01-01",
            ..TABLE[0]
        }];
        assert_eq!(last_line(Some("sid"), &old, true), "1 passed, 2 failed");
        assert_eq!(
            last_line(Some("sid"), &old, false),
            "1 passed, 0 failed, 1 skipped"
        );
    }

    #[test]
    fn without_anything_skipped_the_last_line_has_two_numbers() {
        assert_eq!(Tally::default().last_line(), "0 passed, 0 failed");
    }
}
