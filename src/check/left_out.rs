//! Without the Cargo feature `check`, `--check` is refused.

use crate::{
    error::{Error, Step},
    settings::Settings,
    sys::Strings,
};
use core::ffi::CStr;

/// Refuses `--check`.
pub fn check(flag: &CStr, _: Strings<'_>, _: Strings<'_>) -> u8 {
    let reason = "this build has no check: it needs the Cargo feature `check`";
    let error = Error::with_reason(Step::Usage, flag.to_bytes(), reason);
    Settings::default().report(&error);
    error.exit_status()
}
