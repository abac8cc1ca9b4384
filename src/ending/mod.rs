//! How the machine ends: on request, after unmounting everything; or because the launch failed.

pub(crate) mod failure;
pub(crate) mod reboot;
mod unmount;
