//! An appliance: configured from the kernel's line alone, its state on a disk of its own, its root never written.

pub(super) mod names;
pub(super) mod roots;
pub(super) mod states;

use super::{Change, Expectations, Group, Scenario, Step, boots, small};

/// The drivers of disks and networks are modules, and something has to load them.
const WITH_MODULES: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Modules,
];
