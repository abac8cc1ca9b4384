//! One virtual machine: what it is made of (`Machine`), how it is started, and when a start is tried again.
//!
//! QEMU is driven without polling: the console, the second serial port and QMP each are one end of a socket pair that
//! the harness reads, and QEMU's end is waited for by the thread that started it. Emulation has faults of its own, so a
//! guest that dies of one is started once more, and the notes of the boot say so.

pub mod acceleration;
mod arguments;
mod console;
pub mod disk;
mod fault;
mod guest;
mod process;
mod qmp;

use std::path::PathBuf;

use anyhow::{Context, Result};

pub use guest::Guest;
pub use process::Exit;

use acceleration::Acceleration;

/// A virtual machine, before it is started. It can be started several times: its disk decides what stays.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Names the files of its console below target/.
    pub name: String,
    pub kernel: PathBuf,
    pub root: Root,
    /// The program the kernel starts.
    pub init: String,
    /// Words of the kernel's line beside the harness's own (console, root, init), before `--`.
    pub append: Vec<String>,
    /// Words after `--`: what the kernel hands to init.
    pub arguments: Vec<String>,
    /// MiB.
    pub memory: u32,
    /// A user network (guest 10.0.2.15/24, gateway 10.0.2.2, name server 10.0.2.3), or no device at all.
    pub network: bool,
    /// Ports of the guest that can be reached on 127.0.0.1, at a port that QEMU chooses (`Guest::port`).
    pub forwards: Vec<u16>,
    /// More disks: /dev/nvme0n2 and on, or /dev/nvme0n1 and on where the root is an initramfs.
    pub drives: Vec<Drive>,
    pub acceleration: Acceleration,
    /// Show the console while it runs.
    pub show_console: bool,
    /// Show the command that starts QEMU.
    pub verbose: bool,
}

#[derive(Clone, Debug)]
pub enum Root {
    /// /dev/nvme0n1, mounted by the kernel itself.
    Disk(Drive),
    Initramfs(PathBuf),
    /// Nothing: the kernel panics. For the trial of an accelerator.
    None,
}

/// A raw disk image.
#[derive(Clone, Debug)]
pub struct Drive {
    pub path: PathBuf,
    pub written: Written,
}

/// What becomes of that which a guest writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is gone with the guest.
    Lost,
    /// It stays in the file.
    Kept,
    /// It stays in a copy of the file, a new one for each start (`Guest::disk`).
    KeptInCopy,
}

impl Machine {
    /// The settings most guests share: dockerlaunch as PID 1, 1 GiB (an initramfs of a whole engine needs 4), a network.
    pub fn new(name: &str, kernel: PathBuf, root: Root, acceleration: Acceleration) -> Self {
        let memory = if matches!(root, Root::Initramfs(_)) {
            4096
        } else {
            1024
        };
        Self {
            name: name.to_owned(),
            kernel,
            root,
            init: "/usr/bin/dockerlaunch".to_owned(),
            append: Vec::new(),
            arguments: Vec::new(),
            memory,
            network: true,
            forwards: Vec::new(),
            drives: Vec::new(),
            acceleration,
            show_console: false,
            verbose: false,
        }
    }

    /// Starts it once. Returns as soon as QEMU answers; the guest boots meanwhile.
    pub fn start(&self) -> Result<Guest> {
        Guest::start(self).with_context(|| format!("start the guest `{}`", self.name))
    }

    /// Starts it and waits until `ready` is satisfied. Should it die of an emulator's fault before that, it is started
    /// once more: the second of the returned values is then the note for the report.
    pub fn boot<T>(
        &self,
        ready: impl Fn(&Guest) -> Result<T>,
    ) -> Result<(Guest, T, Option<String>)> {
        let first = self.start()?;
        let error = match ready(&first) {
            Ok(value) => return Ok((first, value, None)),
            Err(error) => error,
        };
        let Some(fault) = first.emulator_fault(&self.init) else {
            return Err(first.explain(error));
        };
        let note = format!("guest `{}`: {fault}; started once more", self.name);
        eprintln!("note: {note}");
        drop(first);
        let second = self.start()?;
        match ready(&second) {
            Ok(value) => Ok((second, value, Some(note))),
            Err(error) => Err(second.explain(error.context(note))),
        }
    }
}
