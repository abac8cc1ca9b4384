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

// A file uses only what stands above it: tests/floors.rs holds that.
mod namespaces;
mod sys;
mod text;

mod error;
mod flags;
mod ip;
mod json;
mod log;
#[cfg(any(feature = "iptables", feature = "network", feature = "supervise"))]
mod messages;
mod mountinfo;
#[cfg(feature = "state")]
mod signatures;
#[cfg(feature = "state")]
mod superblock;
mod wait;

#[cfg(any(feature = "iptables", feature = "network", feature = "supervise"))]
mod netlink;
#[cfg(feature = "state")]
mod partitions;

mod fs;
#[cfg(feature = "supervise")]
mod power;
mod settings;

#[cfg(feature = "supervise")]
mod signals;

mod requests;

mod cmdline;
mod copy;
mod hierarchies;
mod run;

mod launch;
mod mounted;
mod role;

mod aside;
mod choices;
mod command;
#[cfg(feature = "state")]
mod devices;
mod files;
mod var_run;

mod places;
#[cfg(any(feature = "modprobe", feature = "state"))]
mod tools;

mod requirements;

mod cgroups;
mod clock;
mod daemon;
#[cfg(feature = "iptables")]
mod iptables;
mod layout;
#[cfg(feature = "modprobe")]
mod modules;
mod mounts;
#[cfg(feature = "network")]
mod network;
mod prerequisites;
mod repair;
mod root;
#[cfg(feature = "state")]
mod state;
#[cfg(feature = "switch-root")]
mod switch_root;
mod writable;

#[cfg(feature = "check")]
mod check;
mod unmount;

mod reboot;

mod failure;
#[cfg(feature = "supervise")]
mod supervise;

#[cfg(doc)] // text only
pub mod guide;

pub use command::Command;
pub use error::{Error, Result, Step};
pub use ip::Ip;
pub use launch::Ended;
pub use settings::{Cgroup, OnExit, OnFailure, Prerequisites, Reap, Role, Settings};
pub use sys::Strings;

// For main.rs alone: an init that uses the library has a console and knows what it is.
#[doc(hidden)]
pub use {
    check::check, failure::fail, mounts::open_console, network::lease, requests::block_signals,
    role::find_role,
};

use daemon::Daemon;
use launch::{Failed, Launch, Outcome};
use requests::{Before, blocked};

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

fn go_on(environment: Strings<'_>, settings: &Settings<'_>, before: Before) -> Result<()> {
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
    writable::prepare(launch, command)?; // an image that cannot be written
    root::prepare(launch, command)?; // rebind an initramfs; sharing comes last: a shared parent refuses the move
    cgroups::mount_all(launch)?;
    repair::configuration(launch)?; // before anything asks daemon.json where the data root is
    layout::create(launch)?; // after it: an empty file of /etc is written again
    iptables::choose(launch, command)?; // before the modules, which are not the same for both of its flavours
    modules::load(launch, command)?;
    state::mount_disk(launch, command)?; // after the modules: its driver and file system may be among them
    repair::repositories(launch, command)?; // the data root is there now
    network::configure(launch, command)?;
    prerequisites::check(launch, command)?;
    daemon::prepare(launch, command) // what follows is the point of no return
}

/// A step that is compiled out has nothing to do.
#[cfg(not(feature = "iptables"))]
mod iptables {
    use crate::{Command, Launch, Outcome};

    pub(crate) fn choose(_: &Launch<'_>, _: &mut Command<'_>) -> Outcome<()> {
        Ok(())
    }
}

/// A step that is compiled out has nothing to do.
#[cfg(not(feature = "modprobe"))]
mod modules {
    use crate::{Command, Launch, Outcome};

    pub(crate) fn load(_: &Launch<'_>, _: &Command<'_>) -> Outcome<()> {
        Ok(())
    }
    pub(crate) fn load_named(_: &Launch<'_>, _: &Command<'_>) -> Outcome<()> {
        Ok(())
    }
}

/// A step that is compiled out has nothing to do.
#[cfg(not(feature = "switch-root"))]
mod switch_root {
    pub(crate) fn is_wanted(_: &crate::Launch<'_>) -> crate::Outcome<bool> {
        Ok(false)
    }
    pub(crate) fn enter(_: &crate::Launch<'_>) -> crate::Outcome<()> {
        Ok(())
    }
}

/// A step that is compiled out has nothing to do.
#[cfg(not(feature = "state"))]
mod state {
    pub(crate) fn mount_disk(_: &crate::Launch<'_>, _: &crate::Command<'_>) -> crate::Outcome<()> {
        Ok(())
    }
}

/// A step that is compiled out has nothing to do.
#[cfg(not(feature = "network"))]
mod network {
    use crate::{Command, Launch, Outcome, Strings};

    pub(crate) fn configure(_: &Launch<'_>, _: &mut Command<'_>) -> Outcome<()> {
        Ok(())
    }
    /// No DHCP client is started.
    pub fn lease(_: Strings<'_>, _: Strings<'_>) -> Option<u8> {
        None
    }
}

/// Without it every daemon replaces this process.
#[cfg(not(feature = "supervise"))]
mod supervise {
    use crate::{Command, Daemon, Ended, Launch, Outcome, daemon};

    pub(crate) fn start(
        launch: &Launch<'_>,
        command: &Command<'_>,
        prepared: &Daemon,
    ) -> Outcome<Ended> {
        daemon::replace(launch, command, prepared).map(|never| match never {})
    }
}

/// A word that is compiled out is refused.
#[cfg(not(feature = "check"))]
mod check {
    use crate::{Error, Settings, Step, Strings};
    use core::ffi::CStr;

    /// Says so.
    pub fn check(word: &CStr, _: Strings<'_>, _: Strings<'_>) -> u8 {
        let reason = "this build has no check: it needs the Cargo feature `check`";
        let error = Error::said(Step::Usage, word.to_bytes(), reason);
        Settings::default().report(&error);
        error.exit_status()
    }
}
