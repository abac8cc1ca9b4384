//! The built program as PID 1 of fresh namespaces, and the promises about its source. One file a behaviour:
mod mounts;
mod library {
    pub fn caller() -> std::process::ExitCode {
        todo!()
    }
}

mod running;
mod stand_ins;
mod util;

use libtest_mimic::{Arguments, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(status) = stand_ins::run() {
        return status;
    }
    let tests = [mounts::tests()];
    run(
        &Arguments::from_args(),
        tests.into_iter().flatten().collect(),
    )
    .exit_code()
}
