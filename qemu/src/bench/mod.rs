//! What `cargo qemu bench` measures: launches and boots of dockerlaunch, of a script, and of small inits, in guests whose
//! instructions are counted. Uses `engine`, `machine`, `image`, `program`, `packages` and `host`; it knows nothing of scenarios and checks.

mod boots;
mod chart;
mod growth;
mod guest;
mod kit;
mod launches;
mod lines;
mod moments;
mod phases;
mod row;

pub(crate) use boots::{Boot, Boots, boots};
pub(crate) use chart::{draw, draw_growth};
pub(crate) use growth::{Growth, growth};
pub(crate) use kit::Launches;
pub(crate) use launches::{Launched, launches};
