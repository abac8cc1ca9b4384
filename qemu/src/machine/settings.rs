//! What a machine is made of, before it is started.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use super::acceleration::Acceleration;
use crate::disks::Drive;

/// A virtual machine before it is started. It can be started several times: its disks decide what stays.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Names the files of its console below target/.
    pub name: String,
    pub kernel: PathBuf,
    pub root: Root,
    /// The program the kernel starts.
    pub init: String,
    /// Words of the kernel command line before `--`, after the harness's own (console, root, init).
    pub append: Vec<String>,
    /// Words after `--`: the kernel passes them to init as arguments.
    pub arguments: Vec<String>,
    /// MiB.
    pub memory: u32,
    /// A user network (guest 10.0.2.15/24, gateway 10.0.2.2, name server 10.0.2.3), or no device at all.
    pub network: bool,
    /// Ports of the guest that are forwarded to 127.0.0.1, each at a port that QEMU chooses (`Guest::port`).
    pub forwards: Vec<u16>,
    /// More disks: /dev/nvme0n2 and on, or /dev/nvme0n1 and on where the root is an initramfs; /dev/vda and on.
    pub drives: Vec<Drive>,
    /// Each start finds the disks as they were before any guest has written to them.
    pub fresh: bool,
    /// What the hardware clock starts with, in the form of QEMU's -rtc; none: the right time.
    pub clock: Option<&'static str>,
    pub acceleration: Acceleration,
    /// Set once a guest has reached PID 1 in any of the machine's boots.
    pub reached_pid_1: Arc<AtomicBool>,
    /// Show the console while the guest runs.
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
    /// Nothing: the kernel panics. For the trial of KVM.
    None,
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
}
