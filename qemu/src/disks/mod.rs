//! Raw disk images: how a guest's disk is made (`made`), how a machine gets it (`drive`), and whether a guest left it clean
//! (`inspect`). Uses `host` alone.

mod drive;
mod files;
pub mod inspect;
mod made;

pub use drive::{Bus, Drive, ROOT, renew};
pub(crate) use made::{Disk, Holds, STATE, Table, full, lasting, on_virtio};
