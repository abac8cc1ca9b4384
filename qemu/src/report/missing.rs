//! What a test could not run without: a download, which may have leave to be missing, or anything else, which may not.

use super::leave::{self, Leave};
use crate::packages::NotFetched;

/// What a test could not run without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What could not be fetched, by its name; only a download may have leave to be missing.
    pub(crate) download: Option<String>,
    pub(crate) reason: String,
}

impl Missing {
    /// What could not be fetched, if that is what the error is about; any other error is a failure.
    pub(crate) fn download(error: &anyhow::Error) -> Option<Self> {
        let NotFetched(name) = error.downcast_ref()?;
        Some(Self {
            download: Some(name.clone()),
            reason: format!("{error:#}"),
        })
    }

    pub(super) fn leave<'a>(&self, table: &'a [Leave], today: i64) -> Option<&'a Leave> {
        leave::find(table, self.download.as_deref()?, today)
    }

    /// Whether a strict run allows it today.
    pub(crate) fn is_allowed(&self) -> bool {
        self.leave(leave::TABLE, leave::today()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    /// A missing kernel, or an image that cannot be made, is the harness's own fault.
    #[test]
    fn g2_only_an_error_of_fetching_is_about_a_download() {
        let fetching = anyhow!("404")
            .context(NotFetched("sid".into()))
            .context("no earlier set");
        let missing = Missing::download(&fetching).unwrap();
        assert_eq!(missing.download.as_deref(), Some("sid"));
        assert!(missing.reason.contains("404"), "{}", missing.reason);
        let own: anyhow::Error = std::fs::read("/nowhere").context("vmlinuz").unwrap_err();
        assert_eq!(Missing::download(&own), None);
    }
}
