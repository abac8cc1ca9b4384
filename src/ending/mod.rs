//! How the machine ends: on request, with all that was mounted unmounted; or because it cannot launch.

pub(crate) mod failure;
pub(crate) mod reboot;
mod unmount;
