//! The one small thing between the Linux kernel and Docker.
//!
//! A kernel boots with `init=/usr/bin/dockerlaunch`, or a privileged container starts with it, and a moment later a Docker
//! engine runs on a system that holds nothing else. This is the library behind that program: another init calls
//! [`launch_docker`], or [`launch`] with [`Settings`] of its own. [`guide`] has the README and its pages: the program's settings
//! and exit status, the appliance, Docker in Docker.
//!
//! # How Docker gets its user space
//! [`launch`] is the recipe; read it first. Each verb is a module whose first lines say what it decides and why, then
//! comes a table, then the few functions that walk it. All of them find before they make: what somebody else has mounted,
//! linked or written stays, and running twice changes nothing.
//!
//! # What it promises
//! Nothing is allocated and nothing panics. The library keeps no global state but the number of lines that its log has
//! dropped, writes only to the descriptor [`Settings::log`], and never exits; it changes the process that calls it (its root,
//! its mounts, its limits, with `-H fd://` its descriptor 3), so call it from a single-threaded one. All signals are blocked
//! until it returns: a signal that asks for the end cuts its waits short, and is the caller's where it returns an error. While
//! it supervises, all children are reaped; as the machine's PID 1 it then ends with the machine, by reboot(2), and does not
//! return. A step that Docker cannot do without returns an [`Error`]; anything else is a warning on the log. Linux 5.10 or
//! newer, x86_64.
//!
//! # Features
//! `check` (`--check`), `git`, `iptables`, `modprobe`, `xz` (what is looked for at boot; modules), `network` (addresses,
//! names), `state` (the state disk), `switch-root` (`root=` from an initramfs), `supervise` (a daemon that is a child): all on
//! by default.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("dockerlaunch speaks to the Linux kernel of x86_64 only");

// The rooms, from the ground up: each uses only rooms above it here. tests/floors.rs has the table, and fails on any other use.

// The base.
mod sys; // system calls that rustix does not offer: all unsafe code
mod text; // bytes: buffers of a fixed size, words, numbers

mod error; // what failed, why, and what to do; the exit status
mod log; // our own lines

mod fs; // files: read, written as a whole, copied
mod settings; // DOCKER_LAUNCH_*

// What every launch stands on.
mod kernel; // what we ask of the kernel: its command line, mounts, signals, netlink, children
mod launch; // what all steps of one launch share: role, settings, log, error

// The launch.
#[cfg(feature = "state")]
mod disks; // disks by name, and what is on them
mod docker; // what we know of Docker: its command line, daemon.json, what it needs
mod steps; // a file for each verb of the recipe below

// Around it.
#[cfg_attr(not(feature = "check"), path = "check/left_out.rs")]
mod check; // --check
mod ending; // how the machine ends: on request, or because it cannot launch
#[cfg_attr(not(feature = "supervise"), path = "supervise/left_out.rs")]
mod supervise; // life as PID 1: the loop, restarts, readiness, shutdown

#[cfg(doc)] // text only
pub mod guide;

pub use docker::command::Command;
pub use error::{Error, Result, Step};
pub use launch::Ended;
pub use settings::{Cgroup, OnExit, OnFailure, Prerequisites, Reap, Role, Settings, ip::Ip};
pub use sys::Strings;

// For main.rs alone: an init that uses the library has a console and knows what it is.
#[doc(hidden)]
pub use {
    check::check,
    ending::failure::fail,
    kernel::requests::block_signals,
    launch::role::find_role,
    steps::{mounts::open_console, network::lease},
};

use kernel::requests::{SavedMask, blocked};
use launch::{Failed, Launch, Outcome};
use steps::{
    cgroups, clock,
    daemon::{self, Daemon},
    empty_json, iptables, layout, modules, mounts, network, pivot_root, prerequisites,
    read_only_root, state_disk, switch_root,
};

use core::{convert::Infallible, ffi::CStr};

/// Prepares the system and becomes the daemon, or supervises it: as the machine's PID 1, and where
/// [`Settings::reap`] says so. It returns when a supervised daemon in a container has ended.
///
/// # Errors
/// The first required step that fails; what was done until then stays, and a second launch finds it.
pub fn launch(command: &mut Command<'_>, settings: &Settings<'_>) -> Result<Ended> {
    blocked(settings, |before| {
        let role = find_role(settings)?; // mounts /proc if it must
        let launch = Launch::new(role, settings, before);
        let outcome = steps(&launch, command);
        let outcome = outcome.and_then(|daemon| supervise::start(&launch, command, &daemon));
        outcome.map_err(|Failed| launch.error())
    })
}

/// From an initramfs with `root=` on the kernel's command line, goes on to that root: the machine's PID 1 does so before it
/// looks for a daemon. Elsewhere it does nothing.
///
/// # Errors
/// The step that fails, [`Step::Root`] above all; the initramfs is still `/` then, unless it was being freed.
#[doc(hidden)]
#[inline(never)] // its stack is given back before the daemon is waited for
pub fn enter_root(environment: Strings<'_>, settings: &Settings<'_>) -> Result<()> {
    blocked(settings, |before| go_on(environment, settings, before))
}

fn go_on(environment: Strings<'_>, settings: &Settings<'_>, before: SavedMask) -> Result<()> {
    let role = find_role(settings)?;
    let launch = Launch::new(role, settings, before);
    let command = Command::without_daemon(c"", environment);
    let steps = || {
        if switch_root::is_wanted(&launch)? {
            mounts::mount_api(&launch)?;
            layout::create(&launch)?; // modprobe looks below /lib
            modules::load_named(&launch, &command)?; // of the initramfs: drivers and file systems
            switch_root::enter(&launch)?;
        }
        Ok(())
    };
    steps().map_err(|Failed| launch.error())
}

/// The original's `func LaunchDocker(docker string, args ...string) error`: default settings, an environment of PATH and
/// HOME only, and it never supervises. It returns only if the launch fails.
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

#[inline(never)] // its stack is given back before the daemon is waited for
fn steps(launch: &Launch<'_>, command: &mut Command<'_>) -> Outcome<Daemon> {
    mounts::mount_api(launch)?; // /dev first, so that there is a console to speak to
    clock::set(launch); // before anything is written
    read_only_root::prepare(launch, command)?; // an image that cannot be written
    pivot_root::prepare(launch, command)?; // rebind an initramfs; sharing comes last: a shared parent refuses the move
    cgroups::mount_all(launch)?;
    empty_json::configuration(launch)?; // before anything asks daemon.json where the data root is
    layout::create(launch)?; // after it: an empty file of /etc is written again
    iptables::choose(launch, command)?; // before the modules, which are not the same for both of its flavours
    modules::load(launch, command)?;
    state_disk::mount_disk(launch, command)?; // after the modules: its driver and file system may be among them
    empty_json::repositories(launch, command)?; // the data root is there now
    network::configure(launch, command)?;
    prerequisites::check(launch, command)?;
    daemon::prepare(launch, command) // what follows is the point of no return
}
