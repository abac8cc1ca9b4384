//! What the tests came to, and which of them may be missing. Uses `packages`, whose downloads may have leave to be missing, and
//! `host`.

mod leave;
mod missing;
mod tally;

pub(crate) use missing::Missing;
pub(crate) use tally::{Ignored, Skipped, Tally, shown};
