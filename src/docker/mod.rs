//! What we know of Docker: its command line and daemon.json, read as it reads them, and what it needs of an image.

pub(crate) mod command;
pub(crate) mod config;
#[cfg(feature = "supervise")]
pub(crate) mod containerd;
mod flags;
mod json;
pub(crate) mod needs;
pub(crate) mod options;
