//! One file or folder for each verb of the recipe in lib.rs, in its order. A step uses no other step: shared code is in the
//! files at the end.

// On an initramfs with `root=`, before everything else.
#[cfg(feature = "switch-root")]
pub(crate) mod switch_root;

pub(crate) mod cgroups;
pub(crate) mod clock;
#[cfg(feature = "supervise")]
pub(crate) mod containerd;
pub(crate) mod daemon;
pub(crate) mod empty_json;
#[cfg(feature = "iptables")]
pub(crate) mod iptables;
pub(crate) mod layout;
pub(crate) mod limits;
#[cfg(feature = "modprobe")]
pub(crate) mod modules;
pub(crate) mod mounts;
#[cfg(feature = "network")]
pub(crate) mod network;
pub(crate) mod pivot_root;
pub(crate) mod prerequisites;
pub(crate) mod read_only_root;
#[cfg(feature = "state")]
pub(crate) mod state_disk;

mod left_out;
#[allow(
    unused_imports,
    reason = "each exists only if its Cargo feature is off"
)]
pub(crate) use left_out::*;

// Shared by several steps.
mod become_root;
pub(crate) mod environment;
mod files;
#[cfg(any(feature = "modprobe", feature = "state"))]
mod programs;
mod var_run;
