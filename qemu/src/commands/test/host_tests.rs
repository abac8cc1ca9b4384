//! The host's tests: `cargo test` against the release program. The result is read from the last line of every test program, of
//! libtest's and of libtest-mimic's.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};

use crate::{
    commands::common::Common,
    host::tools,
    program,
    report::{Missing, Skipped, Tally},
};

/// First dockerlaunch; then the harness and the probe, in a run of their own so that Cargo does not unify the features.
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

/// Names the program that tests/ runs, instead of the one that cargo built.
const PROGRAM: &str = "DOCKERLAUNCH_BIN";
/// The same program with its symbols, and its Cargo features.
const SYMBOLS: &str = "DOCKERLAUNCH_BIN_SYMBOLS";
const FEATURES: &str = "DOCKERLAUNCH_BIN_FEATURES";

/// The one test that needs the symbols, which take ten seconds to build.
const LOOKS_AT_SYMBOLS: &str = "program::g7_the_release_program_formats_nothing";

/// The tested program. If it was built elsewhere, its symbols and features are unknown.
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
            features: (!program::is_built_elsewhere()).then(list),
        })
    }
}

pub(super) fn run(filter: Option<&str>, program: &Program<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for arguments in RUNS {
        tally.add(cargo(arguments, filter, program)?);
    }
    Ok(tally)
}

fn cargo(arguments: &[&str], filter: Option<&str>, program: &Program<'_>) -> Result<Tally> {
    let mut command = tools::cargo();
    command
        .args(arguments)
        .env(PROGRAM, program.path)
        .envs(program.symbols.iter().map(|path| (SYMBOLS, path)))
        .envs(program.features.iter().map(|names| (FEATURES, names)))
        .stdout(Stdio::piped());
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    println!("cargo {}", arguments.join(" "));
    let mut child = command.spawn().context("start cargo")?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let line = line.context("read what the tests say")?;
        println!("{line}");
        count(&line, &mut tally);
    }
    let status = child.wait().context("wait for cargo")?;
    if !status.success() && tally.failed == 0 {
        // A test program that did not compile, or died before its last line.
        println!(
            "cargo {}: {status}, although no test failed: counted as one",
            arguments.join(" ")
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
            "no reason given"
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
