//! What `cargo qemu bench` measures: launches and boots of dockerlaunch, of a script, and of small inits, in guests whose
//! instructions are counted. Uses `machine`, `image`, `program`, `packages` and `host`; it knows nothing of scenarios and checks.

mod guest;
mod launches;
mod lines;
mod row;

pub(crate) use launches::{Launches, launches};
