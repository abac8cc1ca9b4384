//! Files of Debian's packages, and the library of PyPI, in the user's cache: what they are (`suites`, `set`), how they get there
//! (`store`: apt fetches, `unpack` unpacks), and how old they may be (`age`). Uses `host` alone.

mod age;
mod apt;
pub mod python;
mod set;
mod store;
pub mod suites;
mod unpack;

pub use set::{MIRROR, NotFetched, Set, Unpacked};
pub use store::unpacked;
pub use unpack::Brought;
