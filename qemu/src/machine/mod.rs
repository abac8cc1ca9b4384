//! A virtual machine: what it is made of (`settings`), how QEMU is started and driven (`arguments`, `process`, `qmp`), what a running
//! guest can be asked (`guest`), and when a start is tried again (`boot`, `fault`). Uses `disks` and `host`.
//!
//! QEMU is driven without polling: the console, the second serial port and QMP are socket pairs. The harness reads one end of
//! each, and the thread that started QEMU waits for its end.

pub mod acceleration;
mod arguments;
mod boot;
mod console;
mod fault;
mod guest;
mod process;
mod qmp;
mod settings;
pub mod trial;

pub use console::SPEAKER;
pub use guest::{Guest, HOLD};
pub use process::Exit;
pub use settings::{Machine, Root};
