//! How a guest of `cargo qemu boot` ends: Ctrl-C presses its power button, and dockerlaunch shuts it down. A second Ctrl-C cuts the
//! power.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    runtime::Builder,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    task::spawn_blocking,
};

use crate::{
    engine::launch::OFF_WITHIN,
    host::progress::Step,
    machine::{Exit, Guest},
};

/// The longest that a guest runs.
const STAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// QEMU's reason if the guest has powered itself off.
const POWERED_OFF: &str = "guest-shutdown";

/// What came first.
enum First {
    Interrupted,
    Ended(Exit),
}

/// Waits for Ctrl-C or SIGTERM. A guest that ends earlier is an error, unless it was powered off from inside.
pub(super) fn stay(guest: &Arc<Guest>) -> Result<()> {
    match first(guest, STAY)? {
        First::Interrupted => Ok(()),
        First::Ended(exit) => {
            ensure!(powered_off(&exit), "the guest ended by itself");
            Ok(())
        }
    }
}

/// Presses the power button, if the guest still runs, and waits; `hold`: for how many seconds the console is held meanwhile.
pub(super) fn power_off(guest: &Arc<Guest>, hold: Option<u64>) -> Result<()> {
    if guest.alive().is_err() {
        return Ok(());
    }
    let step = Step::spinner("guest: powering off");
    match hold.map(Duration::from_secs) {
        Some(hold) => guest.hold_console(hold, || guest.press_power_button())?,
        None => guest.press_power_button()?,
    }
    match first(guest, OFF_WITHIN)? {
        First::Interrupted => {
            guest.quit()?;
            bail!("interrupted: the guest was not powered off, its power was cut");
        }
        First::Ended(exit) => {
            let reason = exit.reason.as_deref().unwrap_or("no reason given");
            ensure!(
                powered_off(&exit),
                "the guest ended, but not by powering off: {reason}"
            );
        }
    }
    step.done("guest: powered off");
    Ok(())
}

fn powered_off(exit: &Exit) -> bool {
    exit.reason.as_deref() == Some(POWERED_OFF)
}

fn first(guest: &Arc<Guest>, limit: Duration) -> Result<First> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let watched = Arc::clone(guest);
    let first = runtime.block_on(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            asked = ctrl_c() => asked.map(|()| First::Interrupted).context("wait for Ctrl-C"),
            _ = terminate.recv() => Ok(First::Interrupted),
            ended = spawn_blocking(move || watched.wait_exit(limit)) => Ok(First::Ended(ended??)),
        }
    });
    runtime.shutdown_background(); // The watch ends with the guest.
    first
}
