//! The program between the Linux kernel and Docker.
//!
//! A kernel boots with `init=/usr/bin/dockerlaunch`, or a privileged container starts with it, and a moment later a Docker
//! engine runs on a system that has nothing else. This is the library behind that program: another init calls
//! [`launch_docker`], or [`launch`] with [`Settings`] of its own. [`guide`] has the README and its pages: the program's settings
//! and exit status, the appliance, Docker in Docker.
//!
//! # How Docker gets its user space
//! [`launch()`] runs the steps at the end of this file; read them first. Each step is a module. A module opens with what it
//! decides and why. Then comes a table of what it does (for the step `mounts`: the mounts), and then the functions that go
//! through that table. Every step looks before it acts: it keeps what somebody else has mounted, linked or written, and
//! running twice changes nothing.
//!
//! # What it promises
//! Nothing is allocated and nothing panics. The only global state is the number of lines that the log has dropped. The library
//! prints only to the descriptor [`Settings::log`] and never exits. It changes the calling process: its root, mounts, limits
//! and, with `-H fd://`, its descriptor 3. So call it from a single-threaded process. All signals are blocked until the call
//! returns. A signal that asks for a shutdown is noticed all the same: a wait for a disk, the network or a program ends at
//! once. If the launch then fails, the signal is still pending, and reaches the caller when the call returns. While the
//! library supervises, it reaps all children. When it supervises as the machine's PID 1, it does not return: it ends the
//! machine by reboot(2). If a required step fails, the call returns an [`Error`]; any other failure is a warning on the log.
//! It needs x86_64 and Linux 5.10 or newer.
//!
//! # Features
//! All are on by default. The features `git`, `iptables`, `modprobe` and `xz` each add programs to the step `prerequisites`,
//! and the feature `modprobe` also loads modules. `check` adds the argument `--check`, `network` configures addresses and
//! names, `state` mounts the state disk, `switch-root` follows `root=` from an initramfs, `supervise` runs the daemon as a
//! child.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("dockerlaunch runs on Linux on x86_64 only");

// The folders of src/, lowest first: each uses only folders listed before it. tests/floors.rs has the table of allowed uses.

// The base.
mod sys; // system calls that rustix does not offer; the library's only unsafe code
mod text; // buffers of a fixed size, words, numbers

mod error; // what failed, why, and what to do; the exit status
mod log; // dockerlaunch's own log lines

mod fs; // read files, replace them atomically, copy them
mod settings; // DOCKER_LAUNCH_*

// What every launch uses.
mod kernel; // the kernel's interfaces: command line, mounts, signals, netlink, children
mod launch; // what one launch passes to all its steps: `Launch`

// The launch.
#[cfg(feature = "state")]
mod disks; // finds disks by name; recognises what is on them
mod docker; // Docker's command line and daemon.json; the table of programs that it needs
mod steps; // a file for each step of the recipe below

// Around it.
#[cfg_attr(not(feature = "check"), path = "check/left_out.rs")]
mod check; // --check
mod ending; // power off, reboot or halt: on request, or after a failed launch
#[cfg_attr(not(feature = "supervise"), path = "supervise/left_out.rs")]
mod supervise; // PID 1's loop, restarts, readiness, shutdown

#[cfg(doc)] // text only
pub mod guide;

pub use docker::command::Command;
pub use error::{Error, Result, Step};
pub use launch::Ended;
pub use settings::{
    Cgroup, ContainerdBy, OnExit, OnFailure, Prerequisites, Reap, Role, Settings, ip::Ip,
};
pub use sys::Strings;

// main.rs needs these functions. Other callers do not, so they are hidden.
#[doc(hidden)]
pub use {
    check::check,
    ending::failure::fail,
    kernel::requests::block_signals,
    steps::{mounts::open_console, network::lease},
};

use docker::config::Config;
use kernel::requests::blocked;
use launch::{Failed, Launch, Outcome, role::find_role};
use steps::{
    cgroups, clock,
    containerd::{self, Containerd},
    daemon::{self, Daemon},
    empty_json, iptables, layout, limits, modules, mounts, network, pivot_root, prerequisites,
    read_only_root, state_disk, switch_root,
};

use core::{convert::Infallible, ffi::CStr};

/// Prepares the system, then becomes the daemon or supervises it ([`Settings::reap`]; by default only the machine's PID 1
/// supervises). It returns when a supervised daemon in a container has ended.
///
/// # Errors
/// The first required step that fails. What earlier steps did is kept, and a second launch uses it.
pub fn launch(command: &mut Command<'_>, settings: &Settings<'_>) -> Result<Ended> {
    blocked(settings, |before| {
        let found = find_role(settings)?; // mounts /proc if it is missing
        run(&Launch::new(found, settings, before), command)
    })
}

/// The whole program: settings from the environment, the root that `root=` names, the daemon on it, and its launch.
///
/// # Errors
/// As [`Settings::read_environment`], [`Command::from_arguments`] and [`launch`].
#[doc(hidden)]
pub fn launch_program<'a>(
    arguments: Strings<'a>,
    environment: Strings<'a>,
    settings: &mut Settings<'a>,
) -> Result<Ended> {
    settings.read_environment(environment)?;
    let found = find_role(settings)?;
    settings.role = Some(found.0);
    let settings = &*settings;
    blocked(settings, |before| {
        let launch = Launch::new(found, settings, before);
        let left = steps_of_initramfs(&launch, environment);
        left.map_err(|Failed| launch.error())?;
        let owns_machine = launch.owns_machine;
        let mut command = Command::of_program(owns_machine, arguments, environment, settings)?;
        run(&launch, &mut command)
    })
}

fn run(launch: &Launch<'_>, command: &mut Command<'_>) -> Result<Ended> {
    let outcome = steps(launch, command);
    let outcome = outcome.and_then(|(daemon, containerd)| {
        supervise::start(launch, command, &daemon, containerd.as_ref())
    });
    outcome.map_err(|Failed| launch.error())
}

/// The counterpart of `func LaunchDocker(docker string, args ...string) error` in Rancher's docker-from-scratch. It launches
/// with default settings, with only PATH and HOME in the environment, and without supervision. It returns only if the launch
/// fails.
///
/// # Errors
/// As [`Command::new`] and [`launch`].
pub fn launch_docker(docker: &CStr, args: &[&CStr]) -> Result<Infallible> {
    let mut command = Command::new(docker, args, &[])?;
    let settings = Settings {
        reap: Reap::Never,
        ..Settings::default()
    };
    blocked(&settings, |before| {
        let found = find_role(&settings)?;
        let launch = Launch::new(found, &settings, before);
        let outcome = steps(&launch, &mut command);
        let outcome = outcome.and_then(|(daemon, _)| daemon::replace(&launch, &command, &daemon));
        outcome.map_err(|Failed| launch.error())
    })
}

/// The steps of an initramfs with `root=`. They come before all other steps, and end on the root that `root=` names. The daemon
/// is looked up there, later.
#[inline(never)] // so that its stack is freed before the daemon runs
fn steps_of_initramfs(launch: &Launch<'_>, environment: Strings<'_>) -> Outcome<()> {
    if switch_root::is_wanted(launch)? {
        let command = &Command::without_daemon(c"", environment);
        mounts::mount_api(launch)?;
        layout::create(launch)?; // modprobe needs /lib
        modules::load_named(launch, command)?; // the initramfs's drivers and file systems
        switch_root::enter(launch)?;
    }
    Ok(())
}

/// The steps of every launch, on the root that Docker gets.
#[inline(never)] // so that its stack is freed before the daemon runs
fn steps(launch: &Launch<'_>, command: &mut Command<'_>) -> Outcome<(Daemon, Option<Containerd>)> {
    let known = mounts::mount_api(launch)?; // /dev first, because the console is there
    clock::set(launch); // before anything is written
    read_only_root::prepare(launch, command, known.run_is_own)?; // a read-only image gets a tmpfs where files must be written
    pivot_root::prepare(launch, command, known.root_is_bottom)?; // makes pivot_root(2) work on an initramfs; makes `/` a shared mount
    cgroups::mount_all(launch)?;
    empty_json::set_aside_configuration(launch)?; // renames an empty daemon.json
    layout::create(launch)?; // directories, links, files of /etc
    let config = &Config::read(launch, command)?; // the daemon's flags and daemon.json, read once for all steps below
    let left = modules::load_first(launch, command, config)?; // the drivers, and what containerd needs
    state_disk::mount_disk(launch, command, config)?; // the disk may need one of the drivers
    empty_json::set_aside_repositories(launch, config)?; // on the data root, which is mounted now
    limits::raise(launch); // all that start from now on inherit them
    let containerd = containerd::start(launch, command, config); // beside the next steps
    iptables::choose(launch, command, config)?; // before the modules: legacy iptables and nft need different modules
    let modules = modules::load_others(launch, command, config, left)?; // beside the next steps
    network::configure(launch, command, config)?;
    prerequisites::check(launch, command, config)?;
    modules::wait(launch, modules); // the daemon needs all of them
    let daemon = daemon::prepare(launch, command, config)?; // the listening socket; the caller executes the daemon
    Ok((daemon, containerd))
}
