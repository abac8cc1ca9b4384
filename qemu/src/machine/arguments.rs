//! QEMU's arguments for a `Machine`, and the kernel command line.
//!
//! The kernel's own limits are checked here, because too many words make it panic, and it cuts a long line silently.

use anyhow::{Result, bail, ensure};

use super::{
    acceleration::Acceleration,
    settings::{Machine, Root},
};
use crate::disks::Bus;

/// The descriptors that QEMU inherits, each one end of a socket pair.
pub(super) const CONSOLE: i32 = 3;
pub(super) const REPORT: i32 = 4;
pub(super) const QMP: i32 = 5;

/// Every machine is a PC with no default devices, and ends instead of rebooting.
const COMMON: &[&str] = &[
    "-machine",
    "q35",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
];

/// KVM passes the host's processor through. Emulation leaves out cmpxchg16b and five-level paging, and runs all processors in one
/// thread: otherwise kernel 6.12 ends in a double fault or an int3 oops on QEMU 7.2.
const KVM: &[&str] = &["-accel", "kvm", "-cpu", "host", "-smp", "2"];
const EMULATION: &[&str] = &[
    "-accel",
    "tcg,thread=single",
    "-cpu",
    "max,-cx16,-la57",
    "-smp",
    "2",
];
/// The same with one processor. Nothing in such a guest depends on the host's clock.
const COUNTED: &[&str] = &[
    "-accel",
    "tcg,thread=single",
    "-cpu",
    "max,-cx16,-la57",
    "-smp",
    "1",
    "-icount",
    "shift=0,sleep=off",
    "-seed",
    "7",
];

/// include/linux/init.h and arch/x86/include/asm/setup.h: CONFIG_INIT_ENV_ARG_LIMIT and COMMAND_LINE_SIZE.
const KERNEL_WORDS: usize = 32;
const KERNEL_LINE: usize = 2048;

pub(super) fn qemu(machine: &Machine) -> Result<Vec<String>> {
    let mut all: Vec<String> = COMMON.iter().map(ToString::to_string).collect();
    let mut add = |option: &str, value: String| all.extend([option.to_owned(), value]);
    let accelerator = match machine.acceleration {
        Acceleration::Kvm => KVM,
        Acceleration::Emulation => EMULATION,
        Acceleration::Counted => COUNTED,
    };
    for pair in accelerator.chunks(2) {
        add(pair[0], pair[1].to_owned());
    }
    add("-m", machine.memory.to_string());
    add("-kernel", machine.kernel.display().to_string());
    add("-append", kernel_line(machine)?);
    if let Root::Initramfs(path) = &machine.root {
        add("-initrd", path.display().to_string());
    }
    for (name, descriptor) in [("console", CONSOLE), ("report", REPORT), ("qmp", QMP)] {
        add("-chardev", format!("socket,id={name},fd={descriptor}"));
    }
    add("-serial", "chardev:console".to_owned());
    add("-serial", "chardev:report".to_owned());
    add("-mon", "chardev=qmp,mode=control".to_owned());
    if machine.network {
        add("-netdev", network(&machine.forwards));
        add("-device", "virtio-net-pci,netdev=net,romfile=".to_owned());
    }
    if let Some(clock) = machine.clock {
        let follows = match machine.acceleration {
            Acceleration::Counted => ",clock=vm",
            _ => "",
        };
        add("-rtc", format!("base={clock}{follows}"));
    }
    if machine.disks().any(|drive| drive.bus == Bus::Nvme) {
        // One controller with a namespace for each disk: the names follow the order of the disks.
        add("-device", "nvme,id=nvme,serial=dockerlaunch".to_owned());
    }
    let mut namespaces = 1..;
    for drive in machine.disks() {
        let (name, snapshot) = (drive.name, if drive.keep { "off" } else { "on" });
        let file = drive.path.display().to_string().replace(',', ",,");
        let protected = if drive.protected { ",readonly=on" } else { "" };
        add(
            "-drive",
            format!("file={file},if=none,id={name},format=raw,snapshot={snapshot}{protected}"),
        );
        let device = match (drive.bus, drive.late) {
            (_, true) => format!("pcie-root-port,id={SLOT}{name},chassis=1,slot=1"),
            (Bus::Virtio, false) => format!("virtio-blk-pci,drive={name}"),
            (Bus::Nvme, false) => {
                let number = namespaces.next().expect("they do not end");
                format!("nvme-ns,drive={name},bus=nvme,nsid={number}")
            }
        };
        add("-device", device);
    }
    Ok(all)
}

/// The slot of a drive that is plugged in later is named by this and the drive's name.
pub(super) const SLOT: &str = "slot-";

/// The user network. Port 0 lets QEMU choose a free port.
fn network(forwards: &[u16]) -> String {
    let mut network = "user,id=net".to_owned();
    for port in forwards {
        network += &format!(",hostfwd=tcp:127.0.0.1:0-:{port}");
    }
    network
}

pub(super) fn kernel_line(machine: &Machine) -> Result<String> {
    let mut words = vec![
        "console=ttyS0".to_owned(),
        "panic=-1".into(),
        "printk.time=1".into(),
        "printk.devkmsg=on".into(),
    ];
    let init = format!("init={}", machine.init);
    match &machine.root {
        Root::Disk(_) => words.extend(["root=/dev/nvme0n1".into(), "rw".into(), init]),
        Root::ReadOnly(_) => words.extend(["root=/dev/nvme0n1".into(), "ro".into(), init]),
        Root::Initramfs(_) => words.push(format!("rdinit={}", machine.init)),
        Root::None => {}
    }
    for word in &machine.append {
        words.push(if is_quoted(word) {
            word.clone()
        } else {
            quoted(word)?
        });
    }
    if !machine.arguments.is_empty() {
        words.push("--".to_owned());
        for word in &machine.arguments {
            words.push(quoted(word)?);
        }
    }
    let limit = KERNEL_WORDS - 1; // The first is init itself.
    ensure!(
        machine.arguments.len() <= limit,
        "the kernel passes at most {limit} words to init, these are {}: leave some out, or put them into daemon.json",
        machine.arguments.len()
    );
    let line = words.join(" ");
    ensure!(
        line.len() < KERNEL_LINE,
        "the kernel command line holds {} bytes, this one has {}",
        KERNEL_LINE - 1,
        line.len()
    );
    Ok(line)
}

/// Whether the word has the kernel's own quotes, and white space only inside them.
fn is_quoted(word: &str) -> bool {
    let mut parts = word.split('"').enumerate();
    let closed = word.matches('"').count().is_multiple_of(2);
    let is_open = |place: usize| place.is_multiple_of(2);
    closed
        && word.contains('"')
        && !parts.any(|(place, part)| is_open(place) && part.contains(char::is_whitespace))
}

fn quoted(word: &str) -> Result<String> {
    if word.contains('"') {
        bail!("the kernel command line cannot hold the quote in `{word}`");
    }
    let plain = !word.is_empty() && !word.contains(char::is_whitespace);
    Ok(if plain {
        word.to_owned()
    } else {
        format!("\"{word}\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::Drive;

    fn machine() -> Machine {
        let root = Root::Disk(Drive::root("/a,b".into()));
        let mut machine = Machine::new("test", "/vmlinuz".into(), root, Acceleration::Emulation);
        let drive = |name, path: &str, bus| Drive {
            name,
            keep: true,
            bus,
            ..Drive::root(path.into())
        };
        machine.drives.push(drive("c", "/c", Bus::Nvme));
        machine.drives.push(drive("d", "/d", Bus::Virtio));
        machine.drives.push(Drive {
            late: true,
            ..drive("e", "/e", Bus::Virtio)
        });
        machine.forwards = vec![2375, 8080];
        machine
    }

    #[test]
    fn the_root_is_the_first_disk_and_a_comma_is_doubled() {
        let all = qemu(&machine()).unwrap().join(" ");
        assert!(
            all.contains("file=/a,,b,if=none,id=root,format=raw,snapshot=on"),
            "{all}"
        );
        assert!(
            all.contains("file=/c,if=none,id=c,format=raw,snapshot=off"),
            "{all}"
        );
        assert!(all.contains("nvme-ns,drive=c,bus=nvme,nsid=2"), "{all}");
        assert!(all.contains("virtio-blk-pci,drive=d"), "{all}");
        assert!(!all.contains("drive=e"), "{all}");
        assert!(
            all.contains("hostfwd=tcp:127.0.0.1:0-:2375,hostfwd=tcp:127.0.0.1:0-:8080"),
            "{all}"
        );
    }

    #[test]
    fn arguments_of_init_follow_the_dashes_and_are_quoted() {
        let mut machine = machine();
        machine.append = vec!["DOCKER_LAUNCH_DEBUG=true".into()];
        machine.arguments = vec!["-H".into(), "a b".into(), String::new()];
        assert!(kernel_line(&machine).unwrap().ends_with(
            " rw init=/usr/bin/dockerlaunch DOCKER_LAUNCH_DEBUG=true -- -H \"a b\" \"\""
        ));
    }

    #[test]
    fn the_kernels_limits_are_errors() {
        for (arguments, told) in [
            (vec!["x".into(); 32], "at most 31"),
            (vec!["x".repeat(2048)], "2047"),
            (vec!["\"".into()], "quote"),
        ] {
            let mut machine = machine();
            machine.arguments = arguments;
            let error = kernel_line(&machine).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
