//! Requests for a shutdown during a launch: a signal, or the power button.
//!
//! All signals are blocked from the start, so that none is lost. The launch does not read them: a signal that asks for a
//! shutdown cuts its waits short and stays pending. The supervisor reads it, or the handling of a failed launch, or the daemon
//! that replaces this process. For a press of the button the launch sends itself a signal, which stays pending like the others.
//!
//! Without the Cargo feature `supervise` no signal is blocked, and requests are ignored.

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

/// The reason in the error of a wait that was cut short.
#[cfg(any(feature = "network", feature = "state"))]
pub(crate) const END_REQUESTED: &str =
    "given up: a signal or the power button asked for a shutdown";
