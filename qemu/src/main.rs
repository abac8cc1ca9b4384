//! `cargo qemu`: boots dockerlaunch as the PID 1 of a real kernel, tests it there, and makes the images for it.
//!
//! Each folder is a room, and uses only the rooms below it: commands, bench, scenarios, checks, engine, machine, disks, image, program,
//! report, packages, host (rooms.rs has the table).

mod bench;
mod checks;
mod commands;
mod disks;
mod engine;
mod host;
mod image;
mod machine;
mod packages;
mod program;
mod report;
#[cfg(test)]
mod rooms;
mod scenarios;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
