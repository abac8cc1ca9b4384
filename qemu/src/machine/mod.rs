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

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

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
    /// More disks: /dev/nvme0n2 and on, or /dev/nvme0n1 and on where the root is an initramfs; /dev/vda and on.
    pub drives: Vec<Drive>,
    /// Each start finds the disks as they were before any guest has written to them.
    pub fresh: bool,
    /// What the hardware clock begins with, as QEMU's -rtc has it; otherwise it is right.
    pub clock: Option<&'static str>,
    pub acceleration: Acceleration,
    /// Set once a guest of it has reached PID 1, in whichever of its boots.
    pub reached_pid_1: Arc<AtomicBool>,
    /// Show the console while it runs.
    pub show_console: bool,
    /// Show the command that starts QEMU.
    pub verbose: bool,
}

#[derive(Clone, Debug)]
pub enum Root {
    /// /dev/nvme0n1, mounted by the kernel itself: `rw`.
    Disk(Drive),
    /// The same, `ro`.
    ReadOnly(Drive),
    Initramfs(PathBuf),
    /// Nothing: the kernel panics. For the trial of an accelerator.
    None,
}

/// A raw disk image.
#[derive(Clone, Debug)]
pub struct Drive {
    /// What it is called here.
    pub name: &'static str,
    pub path: PathBuf,
    /// Whether what the guest writes stays in the file; otherwise it is gone with the guest.
    pub keep: bool,
    pub bus: Bus,
    /// It is not there until it is plugged in (`Guest::plug`).
    pub late: bool,
    /// It can only be read.
    pub protected: bool,
    /// The file as it was before any guest wrote to it.
    pub original: Option<PathBuf>,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// Debian's cloud kernels have its driver built in.
    Nvme,
    /// There it is a module.
    Virtio,
}

impl Drive {
    /// The root's: what a guest writes is forgotten.
    pub fn root(path: PathBuf) -> Self {
        Self {
            name: ROOT,
            path,
            keep: false,
            bus: Bus::Nvme,
            late: false,
            protected: false,
            original: None,
        }
    }

    /// The root's on a copy of the image that the guest may write to.
    pub fn kept_root(image: PathBuf, guest: &str) -> Result<Self> {
        Ok(Self {
            keep: true,
            original: Some(image.clone()),
            ..Self::root(disk::place(&format!("{guest}.{ROOT}"))?)
        })
    }
}

/// Typed on the console: its output stops (XOFF, ^S), and goes on (XON, ^Q).
pub const HOLD: &str = "\x13";
pub const RELEASE: &str = "\x11";

/// The name of the drive that holds the root.
pub const ROOT: &str = "root";

/// Emulated, and beside other guests, the kernel takes up to 20 s.
const STARTS_WITHIN: Duration = Duration::from_secs(120);

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
            fresh: true,
            clock: None,
            acceleration,
            reached_pid_1: Arc::default(),
            show_console: false,
            verbose: false,
        }
    }

    /// The disks on which what the guest writes stays.
    pub fn kept(&self) -> Vec<Drive> {
        self.disks().filter(|drive| drive.keep).cloned().collect()
    }

    /// All disks, the root's first.
    pub fn disks(&self) -> impl Iterator<Item = &Drive> {
        let root = match &self.root {
            Root::Disk(drive) | Root::ReadOnly(drive) => Some(drive),
            Root::Initramfs(_) | Root::None => None,
        };
        root.into_iter().chain(&self.drives)
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
        let attempt = ready(&first);
        self.note_boot(&first);
        let error = match attempt {
            Ok(value) => return Ok((first, value, None)),
            Err(error) => error,
        };
        let Some(fault) = first.emulator_fault() else {
            return Err(first.explain(error));
        };
        let note = format!("guest `{}`: {fault}; started once more", self.name);
        eprintln!("note: {note}");
        drop(first);
        let second = self.start()?;
        let attempt = ready(&second);
        self.note_boot(&second);
        match attempt {
            Ok(value) => Ok((second, value, Some(note))),
            Err(error) => Err(second.explain(error.context(note))),
        }
    }

    /// Starts it, and cuts its power so long after the start of PID 1: QEMU is killed. What the guest's kernel has
    /// handed to its disks stays, because it lies in this machine's page cache; what only the guest's memory held is lost.
    pub fn cut(&self, after: Duration) -> Result<()> {
        let machine = Self {
            name: format!("{}-cut", self.name),
            ..self.clone()
        };
        let (guest, line, _) = machine.boot(|guest| guest.wait_for_start(STARTS_WITHIN))?;
        thread::sleep(after.saturating_sub(line.at.elapsed()));
        guest.alive().context("before the power was to be cut")?;
        drop(guest);
        Ok(())
    }

    fn note_boot(&self, guest: &Guest) {
        if guest.reached_pid_1() {
            self.reached_pid_1.store(true, Ordering::Relaxed);
        }
    }
}
