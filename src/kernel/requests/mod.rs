//! What asks for the end while a launch goes on: a signal, or the power button.
//!
//! All signals are blocked from the start, so that none is lost. Nothing reads them during the launch: those that ask for the
//! end only cut its waits short, and stay pending until the supervisor reads them, or the failure of the launch, or the daemon
//! that replaces this process. A press of the button becomes a signal of our own and waits with the others.
//!
//! Without the Cargo feature `supervise` nothing is blocked and nothing obeyed.

#[cfg(not(feature = "supervise"))]
mod ignored;
#[cfg(feature = "supervise")]
mod obeyed;

#[cfg(not(feature = "supervise"))]
pub use ignored::block_signals;
#[cfg(not(feature = "supervise"))]
pub(crate) use ignored::{
    EndRequest, Requests, SavedMask, are_pending, blocked, end_request, restore, until_ended,
};
#[cfg(feature = "supervise")]
pub use obeyed::block_signals;
#[cfg(feature = "supervise")]
pub(crate) use obeyed::{
    EndRequest, Requests, SavedMask, are_pending, blocked, end_request, restore, until_ended,
};

/// Why a launch gives up what it waits for.
#[cfg(any(feature = "network", feature = "state"))]
pub(crate) const END_REQUESTED: &str =
    "given up: a signal or the power button asked for a shutdown";
