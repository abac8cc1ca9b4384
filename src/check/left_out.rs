//! Without the Cargo feature `check`, `--check` is refused.

use crate::{
    error::{Error, Step},
    settings::Settings,
    sys::Strings,
};
use core::ffi::CStr;

/// Says so.
pub fn check(word: &CStr, _: Strings<'_>, _: Strings<'_>) -> u8 {
    let reason = "this build has no check: it needs the Cargo feature `check`";
    let error = Error::with_reason(Step::Usage, word.to_bytes(), reason);
    Settings::default().report(&error);
    error.exit_status()
}
