//! An appliance: configured from the kernel's line alone, its state on a disk of its own, its root never written.

pub(super) mod disks;
pub(super) mod names;
pub(super) mod roots;
pub(super) mod states;

use super::{Change, Expectations, Group, Scenario, Step, WITH_MODULES, boots, small};
