//! What we know of Docker: its command line and daemon.json, read as it reads them, and what it needs of an image.

pub(crate) mod command;
pub(crate) mod config;
mod flags;
mod json;
pub(crate) mod needs;
pub(crate) mod options;
