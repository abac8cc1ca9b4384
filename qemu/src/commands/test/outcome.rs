//! The outcome of a guest, and why there may be no guest: only a download may be missing, every other reason is a failure.

use std::collections::BTreeMap;

use crate::report::Missing;

/// The outcome of a guest.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The results of the checks that it reached, and why it did not reach the others.
    Ran {
        checks: Checks,
        stopped: Option<String>,
        note: Option<String>,
    },
    /// Nothing could be booted, because something could not be fetched.
    CannotRun(Missing),
}

/// Why there is no image, and so no guest.
#[derive(Debug, Clone)]
pub(super) enum Unmade {
    Missing(Missing),
    /// The harness failed to make it.
    Failed(String),
}

impl From<anyhow::Error> for Unmade {
    fn from(error: anyhow::Error) -> Self {
        match Missing::download(&error) {
            Some(missing) => Self::Missing(missing),
            None => Self::Failed(format!("{error:#}")),
        }
    }
}

impl From<Unmade> for Outcome {
    fn from(unmade: Unmade) -> Self {
        match unmade {
            Unmade::Missing(missing) => Self::CannotRun(missing),
            Unmade::Failed(reason) => Self::Ran {
                checks: Checks::new(),
                stopped: Some(format!("no image: {reason}")),
                note: None,
            },
        }
    }
}

pub(super) type Checks = BTreeMap<String, Result<(), Reason>>;

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Reason {
    Failed(String),
    /// A download that it alone needs is missing.
    CannotRun(Missing),
}
