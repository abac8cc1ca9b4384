//! The program between the Linux kernel and Docker.
//!
//! A kernel boots with `init=/usr/bin/dockerlaunch`, or a privileged container starts with it, and a moment later a Docker
//! engine runs on a system that has nothing else. This is the library behind that program: another init calls
//! [`launch_docker`], or [`launch`] with [`Settings`] of its own. [`guide`] has the README and its pages: the program's settings
//! and exit status, the appliance, Docker in Docker.
//!
//! # How Docker gets its user space
//! [`launch`] is the recipe; read it first. Each step is a module: its first lines say what it decides and why, then comes a
//! table, then the few functions that walk it. Every step looks before it acts: it keeps what somebody else has mounted, linked
//! or written, and running twice changes nothing.
//!
//! # What it promises
//! Nothing is allocated and nothing panics. The only global state is the number of lines that the log has dropped. The library
//! prints only to the descriptor [`Settings::log`] and never exits. It changes the process that calls it (its root, its mounts,
//! its limits, with `-H fd://` its descriptor 3), so call it from a single-threaded process. It blocks all signals until it
//! returns: a signal that asks for a shutdown cuts its waits short, and stays pending for the caller if it returns an error.
//! While it supervises, it reaps all children; as the machine's PID 1 it ends the machine by reboot(2) and does not return. A
//! step that Docker cannot do without returns an [`Error`]; any other failure is a warning on the log. It needs x86_64 and
//! Linux 5.10 or newer.
//!
//! # Features
//! `check` (`--check`), `git`, `iptables`, `modprobe`, `xz` (programs looked for at boot; `modprobe` also loads modules),
//! `network` (addresses, names), `state` (the state disk), `switch-root` (`root=` from an initramfs), `supervise` (the daemon as
//! a child): all on by default.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("dockerlaunch runs on Linux on x86_64 only");

// The folders, lowest first: each uses only those listed before it. The test floors:: has the table and fails on any other use.

// The base.
mod sys; // system calls that rustix does not offer: all unsafe code
mod text; // buffers of a fixed size, words, numbers

mod error; // what failed, why, and what to do; the exit status
mod log; // dockerlaunch's own log lines

mod fs; // read files, write them as a whole, copy them
mod settings; // DOCKER_LAUNCH_*

// What every launch uses.
mod kernel; // the kernel's interfaces: command line, mounts, signals, netlink, children
mod launch; // shared by all steps of one launch: role, settings, log, error

// The launch.
#[cfg(feature = "state")]
mod disks; // finds disks by name; recognises what is on them
mod docker; // Docker's command line, daemon.json and requirements
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
pub use settings::{Cgroup, OnExit, OnFailure, Prerequisites, Reap, Role, Settings, ip::Ip};
pub use sys::Strings;

// For main.rs only: another init opens its own console and knows its role.
#[doc(hidden)]
pub use {
    check::check,
    ending::failure::fail,
    kernel::requests::block_signals,
    launch::role::find_role,
    steps::{mounts::open_console, network::lease},
};

use docker::config::Config;
use kernel::requests::{SavedMask, blocked};
use launch::{Failed, Launch, Outcome};
use steps::{
    cgroups, clock,
    daemon::{self, Daemon},
    empty_json, iptables, layout, modules, mounts, network, pivot_root, prerequisites,
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
        let role = find_role(settings)?; // mounts /proc if it is missing
        let launch = Launch::new(role, settings, before);
        let outcome = steps(&launch, command);
        let outcome = outcome.and_then(|daemon| supervise::start(&launch, command, &daemon));
        outcome.map_err(|Failed| launch.error())
    })
}

/// In an initramfs with `root=` on the kernel command line, switches to that root: the machine's PID 1 does so before it
/// looks for a daemon. Elsewhere it does nothing.
///
/// # Errors
/// The step that fails, mostly [`Step::Root`]. `/` is still the initramfs then, unless freeing it had begun.
#[doc(hidden)]
#[inline(never)] // frees its stack before the wait for the daemon
pub fn enter_root(environment: Strings<'_>, settings: &Settings<'_>) -> Result<()> {
    blocked(settings, |before| {
        switch_to_root(environment, settings, before)
    })
}

fn switch_to_root(
    environment: Strings<'_>,
    settings: &Settings<'_>,
    before: SavedMask,
) -> Result<()> {
    let role = find_role(settings)?;
    let launch = Launch::new(role, settings, before);
    let command = Command::without_daemon(c"", environment);
    let outcome = steps_of_initramfs(&launch, &command);
    outcome.map_err(|Failed| launch.error())
}

/// The original's `func LaunchDocker(docker string, args ...string) error`: default settings, only PATH and HOME in the
/// environment, no supervision. It returns only if the launch fails.
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
        let role = find_role(&settings)?;
        let launch = Launch::new(role, &settings, before);
        let outcome = steps(&launch, &mut command);
        let outcome = outcome.and_then(|daemon| daemon::replace(&launch, &command, &daemon));
        outcome.map_err(|Failed| launch.error())
    })
}

/// On an initramfs with `root=`, before all other steps: the root that it names becomes `/`.
fn steps_of_initramfs(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    if switch_root::is_wanted(launch)? {
        mounts::mount_api(launch)?;
        layout::create(launch)?; // modprobe needs /lib
        modules::load_named(launch, command)?; // the initramfs's drivers and file systems
        switch_root::enter(launch)?;
    }
    Ok(())
}

/// The steps of every launch, on the root that Docker gets.
#[inline(never)] // frees its stack before the wait for the daemon
fn steps(launch: &Launch<'_>, command: &mut Command<'_>) -> Outcome<Daemon> {
    mounts::mount_api(launch)?; // /dev first: it has the console
    clock::set(launch); // before anything is written
    read_only_root::prepare(launch, command)?; // tmpfs where a read-only image must be writable
    pivot_root::prepare(launch, command)?; // rebinds an initramfs, then shares `/`: a shared parent refuses the move
    cgroups::mount_all(launch)?;
    empty_json::set_aside_configuration(launch)?; // before daemon.json is read
    layout::create(launch)?; // after it: writes empty files of /etc again
    let config = &Config::read(launch, command)?; // the daemon's flags and daemon.json: once, for all steps below
    iptables::choose(launch, command, config)?; // before the modules: legacy and nft need different ones
    modules::load(launch, command)?;
    state_disk::mount_disk(launch, command, config)?; // after the modules: its driver may be one of them
    empty_json::set_aside_repositories(launch, config)?; // after the data root is mounted
    network::configure(launch, command, config)?;
    prerequisites::check(launch, command, config)?;
    daemon::prepare(launch, command, config) // the last step before the point of no return
}
