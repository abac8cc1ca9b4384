//! An appliance: configured from the kernel command line alone, with its state on a disk of its own and a read-only root.

pub(super) mod disks;
pub(super) mod names;
pub(super) mod roots;
pub(super) mod states;
