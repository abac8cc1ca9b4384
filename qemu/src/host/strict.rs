//! Whether a test that cannot run counts as failed: it does in CI, and where the user asks for it.

use std::env;

/// One of these variables is set to something other than `0` or `false`.
const VARIABLES: &[&str] = &["CI", "DOCKERLAUNCH_NO_SKIP"];

pub(crate) fn is_on() -> bool {
    let set = |name: &&str| {
        env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
    };
    VARIABLES.iter().any(set)
}
