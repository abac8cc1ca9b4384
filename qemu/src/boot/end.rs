//! How a guest that the user looks at ends: it is powered off as a real machine is, by its button, and dockerlaunch shuts it down.
//! Ctrl-C asks for that, and a second one cuts the power.

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
    machine::{Exit, Guest},
    progress::Step,
};

/// Nobody looks at a guest for longer.
const STAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The daemon has 90 s to end, what it leaves has 5.
pub(crate) const WITHIN: Duration = Duration::from_secs(180);

/// QEMU's reason where the guest has turned itself off.
const POWERED_OFF: &str = "guest-shutdown";

/// What came first.
enum First {
    Interrupted,
    Ended(Exit),
}

/// Until Ctrl-C or SIGTERM; that the guest ends by itself is an error, unless it was turned off from inside.
pub(super) fn stay(guest: &Arc<Guest>) -> Result<()> {
    match first(guest, STAY)? {
        First::Interrupted => Ok(()),
        First::Ended(exit) => {
            ensure!(powered_off(&exit), "the guest ended by itself");
            Ok(())
        }
    }
}

/// Presses the button, if the guest still runs, and waits; the console may be held for some seconds meanwhile.
pub(super) fn power_off(guest: &Arc<Guest>, hold: Option<u64>) -> Result<()> {
    if guest.alive().is_err() {
        return Ok(());
    }
    let step = Step::spinner("guest: powering off");
    match hold.map(Duration::from_secs) {
        Some(hold) => guest.hold_console(hold, || guest.press_power_button())?,
        None => guest.press_power_button()?,
    }
    match first(guest, WITHIN)? {
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
