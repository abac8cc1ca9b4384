//! dockerlaunch itself: how it is built, with which compiler, and its version; and the probe that takes dockerd's place in small
//! guests. Uses `packages`, where a compiler may come from, and `host`.

mod build;
mod compiler;
mod version;

pub use build::{Features, built, is_built_elsewhere, probe, program, stopwatch, with_symbols};
pub use version::version;
