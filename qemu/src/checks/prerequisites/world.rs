//! A row of the table of prerequisites, and what its proof may use.

use anyhow::Result;

use super::{claims::Claims, guest::Guest};
use crate::{checks::engine::Place, engine::Engine};

/// A row of dockerlaunch's table.
pub(super) struct Requirement {
    /// As dockerlaunch calls it.
    pub(super) name: &'static str,
    /// Below /usr.
    pub(super) file: &'static str,
    /// Uses it; an error without it.
    pub(super) proof: fn(&World, &Engine) -> Result<()>,
    pub(super) without: Without,
    /// What dockerlaunch's line says about the missing file.
    pub(super) fault: &'static str,
    /// The status with which dockerlaunch ends without it, unless a setting lets it go on; 0 if it goes on anyway.
    pub(super) refused: u8,
}

/// When the engine, or one of its programs, looks for the file.
pub(super) enum Without {
    /// Whenever it is used: the running engine fails the proof.
    InUse,
    /// When the daemon starts: with these arguments it fails to start.
    AtStart(&'static [&'static str]),
    /// Once in the daemon's life: started without it, the daemon runs and fails the proof; with these texts if the engine has no
    /// message.
    Once(&'static [&'static str]),
    /// Never.
    NothingLost,
    /// Another guest's scenario shows it.
    Elsewhere,
}

/// What a check of a prerequisite may use.
pub(crate) struct World<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) guest: Guest<'a>,
    pub(super) claims: Claims,
}
