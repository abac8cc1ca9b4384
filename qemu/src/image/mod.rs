//! Images: which files go in (`groups`, `rows`, `libraries`, `modules`, `signature`, `bill`, `change`), and the formats they are written in. Uses
//! `program` for the version, `packages` for the files, and `host`; nothing of machines.

mod archives;
mod bill;
mod change;
mod file_systems;
mod fill;
mod format;
mod groups;
#[expect(clippy::module_inception)]
mod image;
mod libraries;
mod licences;
mod modules;
mod oci;
mod rows;
mod signature;
mod tree;
mod write;

pub use bill::PLACE as BILL;
pub(crate) use change::{Change, changes};
pub use format::Format;
pub use groups::{Group, kept};
pub use image::{Image, kernel, report};
pub use modules::UNSIGNED;
#[cfg(test)]
pub use rows::ENGINE;
pub use tree::Entry;
