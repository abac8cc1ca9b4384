//! `cargo qemu boot`: from nothing to a container in a real engine under a real kernel, as a list of steps.

mod appliance;
mod cuts;
mod end;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};

use appliance::Appliance;

use super::common::Common;
use crate::{
    checks::restarts,
    engine::{
        Engine,
        launch::{ANSWER, DAEMON, PORT, READY, is_ready, listens},
    },
    host::{
        needs::{self, Need},
        notes::note,
        progress::Step,
    },
    image::{self, Format, Group, Image},
    machine::{Guest, Machine, SPEAKER, trial},
    packages::suites::Suite,
};

/// MiB: an initramfs that switches to a disk is small, and freed.
const ON_DISK: u32 = 1024;

/// Makes the daemon PID 1 itself.
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
    /// Debian's suite, for the kernel and the engine
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    /// The root: a disk that the kernel mounts, or an initramfs that holds everything
    #[arg(long, value_enum, default_value = "disk", conflicts_with_all = ["read_only", "full_root", "rdinit_root"])]
    root: RootKind,
    /// The cgroup hierarchies to mount (sets DOCKER_LAUNCH_CGROUP)
    #[arg(long, value_enum)]
    cgroup: Option<Cgroup>,
    /// Leave out the signatures of the kernel's modules: they load sooner, but taint the kernel, and lockdown refuses them
    #[arg(long)]
    unsigned_modules: bool,
    /// Memory of the guest in MiB [default: 1024, or 4096 if the root is an initramfs]
    #[arg(long)]
    memory: Option<u32>,
    /// More words for the kernel command line, for example DOCKER_LAUNCH_DEBUG=true
    #[arg(long, allow_hyphen_values = true, default_value = "")]
    append: String,
    /// Show the console
    #[arg(long)]
    console: bool,
    /// Power off after the container has run
    #[arg(long)]
    once: bool,
    /// Hold the console (^S) for this many seconds from the start of PID 1, and again at the end
    #[arg(long, value_name = "SECONDS", hide = true)]
    hold_console: Option<u64>,
    /// First boot the same disk this often, and cut the power in the first minute of each boot
    #[arg(long, value_name = "COUNT", hide = true, default_value = "0")]
    power_cuts: u32,
    #[command(flatten)]
    appliance: Appliance,
    /// More arguments for dockerd
    #[arg(last = true, value_name = "DAEMON ARGS")]
    daemon: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    let appliance = &arguments.appliance;
    let format = match arguments.root {
        RootKind::Disk => appliance.format(),
        RootKind::Initramfs => Format::Initramfs,
    };
    needs::ready(&[
        Need::Image,
        Need::Guest,
        Need::Disks,
        format.need(),
        appliance.need(),
    ])?;
    if arguments.unsigned_modules {
        note(image::UNSIGNED.to_owned());
    }
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
        unsigned_modules: arguments.unsigned_modules,
        extra: Vec::new(),
        format,
    };
    let (mut root, drives) = appliance.disks(&image)?;
    if arguments.power_cuts > 0 {
        root = cuts::kept(root)?;
    }
    let kernel = image::kernel(&packages)?;
    let (acceleration, reason) = trial::find(&kernel)?;
    eprintln!("acceleration: {acceleration:?} ({reason})");

    let mut machine = Machine::new("boot", kernel, root, acceleration);
    machine.append = kernel_words(arguments);
    machine.arguments = DAEMON
        .iter()
        .map(ToString::to_string)
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
    // PID 1 may lose its line on a held console, dockerd never does.
    let wanted = move |line: &str| match (supervised, hold) {
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
        guest.wait_for_line("the engine to be ready", READY, wanted)
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

/// Runs a container, stays if the user wants it, and powers off. A daemon that is PID 1 itself cannot power off: there all
/// containers are stopped and the disk is synced before the power is cut.
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
