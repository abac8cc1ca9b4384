//! The probe, in place of dockerd. It does what its argument `--probe=VERB,VERB:ARGUMENT,…` says (verbs.rs). Without that argument it
//! reports over the second serial port what it finds, and powers the guest off. A missing fact is an empty field of the report,
//! which the harness compares like any other.

mod agent;
mod calls;
mod collect;
mod container;
mod files;
mod orphans;
mod pivot;
mod port;
mod verbs;

use std::{env, process::exit};

/// The argument with the verbs.
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
