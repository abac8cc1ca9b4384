//! `cargo qemu boot`: from nothing to a container in a real engine under a real kernel, as a list of steps.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::{
    runtime::Builder,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    task::spawn_blocking,
};

use crate::{
    Common,
    engine::Engine,
    host::{self, Need},
    image::{self, Format, Image, table::Group},
    machine::{Drive, Guest, Machine, Root, acceleration},
    progress::Step,
    suites::Suite,
};

/// Emulated on two busy processors an engine has taken 30 s.
pub(crate) const READY: Duration = Duration::from_secs(180);
pub(crate) const ANSWER: Duration = Duration::from_secs(60);

/// Nobody looks at a guest for longer.
const STAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The guest's side of the API.
pub(crate) const PORT: u16 = 2375;

/// The user network's fixed addresses: the guest's, the gateway's, and the name server's.
pub(crate) const ADDRESS: &str =
    "DOCKER_LAUNCH_IP=10.0.2.15::10.0.2.2:255.255.255.0:docker:eth0:off:10.0.2.3";

/// The network card's drivers are not among what Docker itself needs. Kernel 6.1 has both as modules.
pub(crate) const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_pci,virtio_net";

/// Without --tls=false dockerd waits 16 s to make its reader think about an open port.
pub(crate) const DAEMON: &[&str] = &[
    "-H",
    "unix:///run/docker.sock",
    "-H",
    "tcp://0.0.0.0:2375",
    "--tls=false",
];

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

/// Boot dockerlaunch as PID 1 of a real kernel, run a container, and stay until Ctrl-C
#[derive(Args)]
pub(crate) struct Arguments {
    /// Debian's suite that kernel and engine are taken from
    #[arg(long, value_enum, default_value = "trixie")]
    suite: Suite,
    /// What the kernel starts from: a disk that it mounts itself, or an initramfs
    #[arg(long, value_enum, default_value = "disk")]
    root: RootKind,
    /// The control groups to mount (sets DOCKER_LAUNCH_CGROUP)
    #[arg(long, value_enum)]
    cgroup: Option<Cgroup>,
    /// Memory of the guest in MiB [default: 1024, with an initramfs 4096]
    #[arg(long)]
    memory: Option<u32>,
    /// More words for the kernel's line, for example DOCKER_LAUNCH_DEBUG=true
    #[arg(long, allow_hyphen_values = true, default_value = "")]
    append: String,
    /// Show the console
    #[arg(long)]
    console: bool,
    /// End after the container has run
    #[arg(long)]
    once: bool,
    /// More words for dockerd
    #[arg(last = true, value_name = "DAEMON ARGS")]
    daemon: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<()> {
    host::ready(&[Need::Image, Need::Guest])?;
    let program = common.program()?;
    let packages = arguments.suite.unpacked(&common.mirror)?;
    let format = if arguments.root == RootKind::Disk {
        Format::Disk
    } else {
        Format::Initramfs
    };
    let name = arguments.suite.name().to_owned();
    let image = Image {
        name,
        packages: &packages,
        more: None,
        program: &program,
        groups: Group::ALL,
        extra: Vec::new(),
        format,
    };
    let image = image.built()?;
    let kernel = image::kernel(&packages)?;
    let (acceleration, reason) = acceleration::find(&kernel)?;
    eprintln!("acceleration: {acceleration:?} ({reason})");

    let root = match arguments.root {
        RootKind::Disk => Root::Disk(Drive {
            path: image,
            keep: false,
        }),
        RootKind::Initramfs => Root::Initramfs(image),
    };
    let mut machine = Machine::new("boot", kernel, root, acceleration);
    machine.append = kernel_words(arguments);
    machine.arguments = DAEMON
        .iter()
        .map(|word| word.to_string())
        .chain(arguments.daemon.clone())
        .collect();
    machine.memory = arguments.memory.unwrap_or(machine.memory);
    machine.forwards = vec![PORT];
    machine.show_console = arguments.console;
    machine.verbose = common.verbose;

    let step = Step::spinner("guest: booting");
    let (guest, ready, note) =
        machine.boot(|guest| guest.wait_for_line("dockerd to listen", READY, listens))?;
    let start = guest.kernel_start().context("the kernel said nothing")?;
    let port = guest.port(PORT)?;
    step.done("guest: the engine listens");
    println!(
        "docker is ready, {} ms after kernel start",
        ready.at.duration_since(start).as_millis()
    );
    let guest = Arc::new(guest);
    let used = use_engine(
        &guest,
        port,
        &packages.root.join("usr/bin/busybox"),
        arguments.once,
    );
    used.map_err(|error| guest.explain(error))?;
    guest.quit()?;
    if let Some(note) = note {
        eprintln!("note: {note}");
    }
    Ok(())
}

fn kernel_words(arguments: &Arguments) -> Vec<String> {
    let mut words = vec![ADDRESS.to_owned(), DRIVER.to_owned()];
    if let Some(cgroup) = arguments.cgroup {
        let value = cgroup.to_possible_value().expect("no value is skipped");
        words.push(format!("DOCKER_LAUNCH_CGROUP={}", value.get_name()));
    }
    words.extend(arguments.append.split_whitespace().map(str::to_owned));
    words
}

/// dockerd's own word that it takes connections on the forwarded port.
pub(crate) fn listens(line: &str) -> bool {
    line.contains("API listen on ") && line.contains(&format!(":{PORT}"))
}

/// Runs a container, stays if asked to, and leaves the engine quiet.
fn use_engine(guest: &Arc<Guest>, port: u16, busybox: &std::path::Path, once: bool) -> Result<()> {
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
    if !once {
        eprintln!("the guest runs until Ctrl-C; the port is open to every user of this machine");
        stay(guest)?;
    }
    engine.stop_all()?;
    engine.run(&["busybox", "sync"])?;
    Ok(())
}

/// Until Ctrl-C or SIGTERM, or until the guest ends by itself, which is an error.
fn stay(guest: &Arc<Guest>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let watched = Arc::clone(guest);
    let outcome = runtime.block_on(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            asked = ctrl_c() => asked.context("wait for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
            ended = spawn_blocking(move || watched.wait_exit(STAY)) => {
                ended??;
                bail!("the guest ended by itself")
            }
        }
    });
    runtime.shutdown_background(); // The watch ends with the guest.
    outcome
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
    }
}
