//! `cargo qemu boot`: from nothing to a container in a real engine under a real kernel, as a list of steps.

mod appliance;
mod cuts;
pub(crate) mod end;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};

use appliance::Appliance;

use crate::{
    Common,
    checks::{restarts, seen::SPEAKER},
    engine::Engine,
    host::{self, Need},
    image::{self, Format, Image, table::Group},
    machine::{Guest, Machine, acceleration},
    progress::Step,
    suites::Suite,
};

/// Emulated on two busy processors an engine has taken 30 s.
pub(crate) const READY: Duration = Duration::from_secs(180);
pub(crate) const ANSWER: Duration = Duration::from_secs(60);

/// The guest's side of the API.
pub(crate) const PORT: u16 = 2375;

/// The user network's fixed addresses: the guest's, the gateway's, and the name server's.
pub(crate) const ADDRESS: &str =
    "DOCKER_LAUNCH_IP=10.0.2.15::10.0.2.2:255.255.255.0:docker:eth0:off:10.0.2.3";

/// The network card's drivers are not among what Docker itself needs. Kernel 6.1 has both as modules.
pub(crate) const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_pci,virtio_net";

/// Without --tls=false dockerd waits 16 s to make its reader think about an open port.
pub(crate) const DAEMON: &[&str] = &["-H", "fd://", "-H", "tcp://0.0.0.0:2375", "--tls=false"];

/// MiB: an initramfs that goes on to a disk is small, and freed.
const ON_DISK: u32 = 1024;

/// What makes the daemon PID 1 itself.
const NOT_SUPERVISED: &str = "DOCKER_LAUNCH_REAP=false";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RootKind {
    Disk,
    Initramfs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cgroup {
    Auto,
    V2,
    V1,
    Hybrid,
}

/// Boot dockerlaunch as PID 1 of a real kernel, run a container, and stay until Ctrl-C powers it off
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite that kernel and engine are taken from
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    /// What the kernel starts from: a disk that it mounts itself, or an initramfs that holds everything
    #[arg(long, value_enum, default_value = "disk", conflicts_with_all = ["read_only", "full_root", "rdinit_root"])]
    root: RootKind,
    /// The control groups to mount (sets DOCKER_LAUNCH_CGROUP)
    #[arg(long, value_enum)]
    cgroup: Option<Cgroup>,
    #[command(flatten)]
    appliance: Appliance,
    /// Memory of the guest in MiB [default: 1024, with a whole root as initramfs 4096]
    #[arg(long)]
    memory: Option<u32>,
    /// More words for the kernel's line, for example DOCKER_LAUNCH_DEBUG=true
    #[arg(long, allow_hyphen_values = true, default_value = "")]
    append: String,
    /// Show the console
    #[arg(long)]
    console: bool,
    /// Power off after the container has run
    #[arg(long)]
    once: bool,
    /// Hold the console (^S) for so many seconds from the start of PID 1, and once more at the end
    #[arg(long, value_name = "SECONDS", hide = true)]
    hold_console: Option<u64>,
    /// Before it, cut the power so often in the first minute of the same disk's boots
    #[arg(long, value_name = "COUNT", hide = true, default_value = "0")]
    power_cuts: u32,
    /// More words for dockerd
    #[arg(last = true, value_name = "DAEMON ARGS")]
    daemon: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    let appliance = &arguments.appliance;
    let format = match arguments.root {
        RootKind::Disk => appliance.format(),
        RootKind::Initramfs => Format::Initramfs,
    };
    host::ready(&[
        Need::Image,
        Need::Guest,
        Need::Disks,
        format.need(),
        appliance.need(),
    ])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let groups = appliance.groups();
    let prefix = if groups == Group::ALL {
        ""
    } else {
        "appliance-"
    };
    let image = Image {
        name: prefix.to_owned() + arguments.suite.name(),
        packages: &packages,
        more: None,
        program: &program,
        groups,
        extra: Vec::new(),
        format,
    };
    let (mut root, drives) = appliance.disks(&image)?;
    if arguments.power_cuts > 0 {
        root = cuts::kept(root)?;
    }
    let kernel = image::kernel(&packages)?;
    let (acceleration, reason) = acceleration::find(&kernel)?;
    eprintln!("acceleration: {acceleration:?} ({reason})");

    let mut machine = Machine::new("boot", kernel, root, acceleration);
    machine.append = kernel_words(arguments);
    machine.arguments = DAEMON
        .iter()
        .map(|word| word.to_string())
        .chain(arguments.daemon.clone())
        .collect();
    let memory = match arguments.root {
        RootKind::Disk => ON_DISK,
        RootKind::Initramfs => machine.memory,
    };
    machine.memory = arguments.memory.unwrap_or(memory);
    machine.drives = drives;
    machine.forwards = vec![PORT];
    machine.show_console = arguments.console;
    machine.verbose = common.verbose;
    cuts::make(&machine, arguments.power_cuts)?;
    machine.fresh = arguments.power_cuts == 0;

    let supervised = common.has("supervise") && !arguments.append.contains(NOT_SUPERVISED);
    let hold = arguments.hold_console.map(Duration::from_secs);
    // A held console may cost PID 1 its line, and never costs dockerd its own.
    let told = move |line: &str| match (supervised, hold) {
        (true, None) => is_ready(line),
        (true, Some(_)) => is_ready(line) || listens(line),
        (false, _) => listens(line),
    };
    let step = Step::spinner("guest: booting");
    let (guest, ready, note) = machine.boot(|guest| {
        if let Some(hold) = hold {
            guest.wait_for_start(READY)?;
            guest.hold_console(hold, || Ok(()))?;
        }
        guest.wait_for_line("the engine to be ready", READY, told)
    })?;
    step.done("guest: the engine is ready");
    if supervised {
        println!("{}", ready.text.trim_start_matches(SPEAKER));
    }
    let lines = guest.console();
    let ended = restarts::of_guest(lines.iter().map(|line| line.text.as_str()), 0);
    if let Some(ended) = ended.unwrap_or_else(|error| Some(error.to_string())) {
        eprintln!("note: {ended}");
    }
    let guest = Arc::new(guest);
    let busybox = packages.root.join("usr/bin/busybox");
    let used = use_engine(&guest, &busybox, arguments, supervised);
    used.map_err(|error| guest.explain(error))?;
    if arguments.power_cuts > 0 {
        cuts::whole(&machine)?;
    }
    if let Some(note) = note {
        eprintln!("note: {note}");
    }
    Ok(())
}

pub(crate) fn kernel_words(arguments: &Arguments) -> Vec<String> {
    let mut words = arguments.appliance.words();
    if let Some(cgroup) = arguments.cgroup {
        let value = cgroup.to_possible_value().expect("no value is skipped");
        words.push(format!("DOCKER_LAUNCH_CGROUP={}", value.get_name()));
    }
    words.extend(arguments.append.split_whitespace().map(str::to_owned));
    words
}

/// PID 1's word that the daemon has told it to be ready.
pub(crate) fn is_ready(line: &str) -> bool {
    line.starts_with(SPEAKER) && line.contains("docker is ready, ")
}

/// dockerd's own word that it takes connections on the forwarded port: all there is where dockerd itself is PID 1.
pub(crate) fn listens(line: &str) -> bool {
    line.contains("API listen on ") && line.contains(&format!(":{PORT}"))
}

/// Runs a container, stays if asked to, and powers off; a daemon that is PID 1 itself cannot do that, and leaves a quiet disk.
fn use_engine(
    guest: &Arc<Guest>,
    busybox: &Path,
    arguments: &Arguments,
    supervised: bool,
) -> Result<()> {
    let port = guest.port(PORT)?;
    let mut engine = Engine::connect(port)?;
    engine.wait_ready(ANSWER, || guest.alive())?;
    println!(
        "engine {}, cgroup v{}",
        engine.version()?,
        engine.cgroup_version()?
    );
    engine.load_busybox(busybox)?;
    let step = Step::spinner("container: running");
    let said = engine.run(&[
        "sh",
        "-c",
        "echo hello from a container; hostname; cat /proc/version",
    ])?;
    step.done("container: it ran");
    print!("{said}");
    println!("export DOCKER_HOST=tcp://127.0.0.1:{port}");
    if !arguments.once {
        eprintln!("the guest runs until Ctrl-C; the port is open to every user of this machine");
        end::stay(guest)?;
    }
    if supervised {
        return end::power_off(guest, arguments.hold_console);
    }
    engine.stop_all()?;
    engine.run(&["busybox", "sync"])?;
    guest.quit().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerds_own_word_is_known() {
        assert!(listens(
            r#"time="2026-01-01T00:00:00Z" level=info msg="API listen on [::]:2375""#
        ));
        assert!(!listens(
            r#"level=info msg="API listen on /run/docker.sock""#
        ));
        assert!(is_ready(
            "dockerlaunch: docker is ready, 9876 ms after kernel start"
        ));
        assert!(!is_ready("level=info msg=\"docker is ready, they say\""));
    }
}
