//! The probe: installed in place of dockerd, it does what its word `--probe=VERB,VERB:ARGUMENT,…` says (verbs.rs). Without
//! that word it reports over the second serial port what it was given, and then powers the guest off, so that a scenario
//! ends by itself. It never stops at what it cannot find: a missing fact is an empty field, which the harness compares
//! like any other.

mod agent;
mod collect;
mod files;
mod orphans;
mod pivot;
mod port;
mod verbs;

use std::{env, process::exit};

/// The word that says what to do.
const WORD: &str = "--probe=";
/// Reports and powers off.
const WITHOUT: &str = "report,power-off";

fn main() {
    let word = env::args().find_map(|word| Some(word.strip_prefix(WORD)?.to_string()));
    match word {
        Some(verbs) => verbs::walk(&verbs),
        None => verbs::walk(WITHOUT),
    }
    exit(0);
}
