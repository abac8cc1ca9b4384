//! The host's tests: `cargo test`, as anyone would run it, against the program that ships. What it came to is read from the
//! closing line of every test program, libtest's and libtest-mimic's alike.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};

use crate::{
    Common,
    report::{Missing, Skipped, Tally},
    run, toolchain,
};

/// The program and its library; the harness and the probe, apart because features would unify.
const RUNS: &[&[&str]] = &[
    &["test", "--no-fail-fast"],
    &[
        "test",
        "--no-fail-fast",
        "--profile",
        "harness",
        "--package",
        "qemu",
        "--package",
        "probe",
    ],
];

/// Tells tests/ which program to run instead of the one that cargo built beside it.
const PROGRAM: &str = "DOCKERLAUNCH_BIN";
/// The same with its symbols, and the Cargo features that it was built with.
const SYMBOLS: &str = "DOCKERLAUNCH_BIN_SYMBOLS";
const FEATURES: &str = "DOCKERLAUNCH_BIN_FEATURES";

/// The one test that looks at symbols: they take ten seconds to build.
const LOOKS_AT_SYMBOLS: &str = "program::g7_the_release_program_formats_nothing";

/// The program that is tested. Of one that was built elsewhere neither symbols nor features are known.
pub(super) struct Program<'p> {
    path: &'p Path,
    symbols: Option<PathBuf>,
    features: Option<String>,
}

impl<'p> Program<'p> {
    pub(super) fn of(path: &'p Path, common: &Common, filter: Option<&str>) -> Result<Self> {
        let looks = filter.is_none_or(|filter| LOOKS_AT_SYMBOLS.contains(filter));
        let symbols = looks.then(|| common.with_symbols()).transpose()?;
        let list = || match &common.features {
            None => "default".to_owned(),
            Some(names) => names.join(","),
        };
        Ok(Self {
            path,
            symbols: symbols.flatten(),
            features: (!toolchain::is_built_elsewhere()).then(list),
        })
    }
}

pub(super) fn run(filter: Option<&str>, program: &Program<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for words in RUNS {
        tally.add(cargo(words, filter, program)?);
    }
    Ok(tally)
}

fn cargo(words: &[&str], filter: Option<&str>, program: &Program<'_>) -> Result<Tally> {
    let mut command = run::cargo();
    command
        .args(words)
        .env(PROGRAM, program.path)
        .envs(program.symbols.iter().map(|path| (SYMBOLS, path)))
        .envs(program.features.iter().map(|names| (FEATURES, names)))
        .stdout(Stdio::piped());
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    println!("cargo {}", words.join(" "));
    let mut child = command.spawn().context("start cargo")?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let line = line.context("read what the tests say")?;
        println!("{line}");
        count(&line, &mut tally);
    }
    let status = child.wait().context("wait for cargo")?;
    if !status.success() && tally.failed == 0 {
        // A test program that did not compile, or died before its closing line.
        println!(
            "cargo {}: {status}, although no test failed: counted as one",
            words.join(" ")
        );
        tally.failed = 1;
    }
    Ok(tally)
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, and `test NAME ... ignored[, REASON]`.
fn count(line: &str, tally: &mut Tally) {
    if let Some(result) = line.strip_prefix("test result: ") {
        let number = |what: &str| {
            let parts = result.split([';', '.']).map(str::trim);
            parts
                .filter_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok())
                .next()
                .unwrap_or_default()
        };
        tally.passed += number("passed");
        tally.failed += number("failed");
    } else if let Some((name, reason)) = line
        .strip_prefix("test ")
        .and_then(|test| test.split_once(" ... ignored"))
    {
        let reason = reason.trim_start_matches([',', ' ']);
        let reason = if reason.is_empty() {
            "it did not say why"
        } else {
            reason
        };
        tally.skipped.push(Skipped {
            name: name.trim().into(),
            missing: Missing {
                download: None,
                reason: reason.into(),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_harnesses_are_read() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test parses ... ok",
            "test slow ... ignored, takes an hour",
            "test mounts::as_root   ... ignored",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 3.10s",
        ] {
            count(line, &mut tally);
        }
        assert_eq!((tally.passed, tally.failed), (13, 2));
        let names: Vec<&str> = tally
            .skipped
            .iter()
            .map(|skipped| skipped.name.as_str())
            .collect();
        assert_eq!(names, ["slow", "mounts::as_root"]);
        assert_eq!(tally.skipped[0].missing.reason, "takes an hour");
    }
}
