//! The engine in a guest: how it is launched and when it is ready (`launch`), and a client for it (`client`, `transfer`). Uses
//! `machine` for what the console says, and nothing of images or checks.

mod client;
pub(crate) mod launch;
mod transfer;

pub(crate) use client::{Engine, IMAGE, Ran};
pub(crate) use transfer::busybox_root;
