//! `cargo qemu`: its command line, and its commands. The top room: it uses all others, and no other room uses it.

mod bench;
mod boot;
mod cli;
mod common;
mod image;
#[cfg(test)]
mod pages;
mod size;
mod test;

pub(crate) use cli::Cli;
