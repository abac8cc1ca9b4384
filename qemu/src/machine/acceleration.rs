//! How QEMU runs a guest's processors.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acceleration {
    Kvm,
    Emulation,
    /// Emulation of one processor, in which an instruction takes a nanosecond of the guest's time, and waiting takes none of
    /// ours: `cargo qemu bench` counts instructions so. The hardware clock follows the guest's time.
    Counted,
}
