//! When a check, or all checks of a scenario, run.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Default,
    /// With --long only.
    Long,
}
