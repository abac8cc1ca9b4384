//! What is checked on a real engine. Each check is independent: it makes the containers that it needs, and the others run even if
//! it fails.

mod appliance;
mod clients;
mod containerd;
mod containers;
mod limits;
mod networks;
mod place;
mod stop;
mod supervision;

use anyhow::{Result, ensure};

use place::said;

pub(crate) use clients::{CLIENTS, MORE_OF_CLIENTS};
pub(super) use networks::{SERVE, published_port, publishing};
pub(super) use place::{ANSWERS_WITHIN, shell_within, until, with};
pub(crate) use place::{CannotRun, PUBLISHED, Place, Row};
pub(super) use supervision::reaped;

pub(crate) const COMMON: &[Row] = &[
    Row("cgroup-version", limits::cgroup_version),
    Row("bridge-address", networks::bridge_address),
    Row("published-port", networks::published_port),
    Row("logs", containers::logs),
    Row("volume", containers::volume),
    Row("user-network", networks::user_network),
];

/// Checks that need space in /tmp, where runc keeps the process that it executes in a container.
pub(crate) const EXECUTED: &[Row] = &[
    Row("exec", containers::exec),
    Row("restart", containers::restart),
];

/// Checks that one engine answers for all.
pub(crate) const IPV6: &[Row] = &[Row("ipv6-network", networks::ipv6_network)];

pub(crate) const LIMITS: &[Row] = &[
    Row("memory-limit", limits::memory),
    Row("pids-limit", limits::pids),
];

/// Debian's kernels 6.12 and 7.2 have no version 1 memory and cpuset: dockerlaunch warns once, and the boot goes on.
pub(crate) const MISSING_CONTROLLERS: &[Row] = &[
    Row("warns-of-missing-controllers", warns_of_missing_controllers),
    Row("pids-limit", limits::pids),
];

/// What PID 1 does in place of dockerd, compared with each suite's dockerd.
pub(crate) const CONTAINERD: &[Row] = &[Row("containerd-configuration", containerd::configuration)];

/// No step failed, and none caused a warning.
pub(crate) const QUIET: &[Row] = &[
    Row("no-warning", no_warning),
    Row("not-tainted", not_tainted),
];

/// In this order: the second kills the daemon and the third containerd, and those after them ask the next ones.
pub(crate) const SUPERVISED: &[Row] = &[
    Row("ready", supervision::ready),
    Row("killed", supervision::container_survives),
    Row("containerd-killed", supervision::containerd_killed),
    Row("ready-program", supervision::ready_program),
    Row("no-zombies", supervision::no_zombies),
    Row("docker-stop", stop::supervised),
];

/// An appliance in its first life, in its second one after a shutdown, and in its third one after a power cut.
pub(crate) const NEW: &[Row] = &[
    Row("state-made", appliance::state),
    Row("bridge", appliance::bridge),
    Row("leaves", appliance::leave),
];
pub(crate) const BACK: &[Row] = &[
    Row("state", appliance::state_again),
    Row("restarted", appliance::restarted),
    Row("yesterday", appliance::yesterday),
    Row("bridge", appliance::bridge),
    Row("writes", appliance::write),
];
pub(crate) const BACK_AFTER_CUT: &[Row] = &[
    Row("state", appliance::state_again),
    Row("restarted", appliance::restarted),
    Row("yesterday", appliance::yesterday),
    Row("fsynced", appliance::promised),
];

/// A container that writes to the disk and still runs when the machine is powered off.
pub(crate) const LEFT: &[Row] = &[Row("left-running", containers::left_running)];

fn warns_of_missing_controllers(place: &Place) -> Result<()> {
    let lines = said(place, &["memory", "cpuset"]);
    ensure!(
        lines.len() == 1,
        "{} lines of dockerlaunch name memory and cpuset:\n{}",
        lines.len(),
        lines.join("\n")
    );
    Ok(())
}

/// The kernel writes one line when it loads a module without a valid signature.
fn not_tainted(place: &Place) -> Result<()> {
    let mut lines = place.console.iter();
    let tainting = lines.find(|line| line.contains("tainting kernel"));
    ensure!(tainting.is_none(), "{}", tainting.unwrap());
    Ok(())
}

fn no_warning(place: &Place) -> Result<()> {
    let lines = said(place, &["warning: "]);
    ensure!(
        lines.is_empty(),
        "dockerlaunch warns:\n{}",
        lines.join("\n")
    );
    Ok(())
}
