//! What is checked on a real engine. Every row stands by itself: it makes the containers it needs, and a failed one
//! leaves the others their answer.

mod appliance;
mod clients;
mod containers;
mod limits;
mod networks;
mod stop;
mod supervision;

use std::{
    cell::RefCell,
    error::Error,
    fmt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::seen::SPEAKER;
use crate::{engine::Engine, machine::Guest, report::Missing};
pub(crate) use clients::{CLIENTS, MORE_OF_CLIENTS};
pub(super) use networks::{SERVE, published_port, publishing};
pub(super) use supervision::reaped;

/// What a row may use.
pub(crate) struct Place<'a> {
    pub(crate) guest: &'a Guest,
    pub(crate) engine: &'a Engine,
    /// The port on 127.0.0.1 that leads to `PUBLISHED` in the guest.
    pub(crate) published: u16,
    /// For an engine's image.
    pub(crate) busybox: &'a Path,
    /// `1` or `2`, as `docker info` tells it: hybrid is 1 to Docker.
    pub(crate) cgroup: &'a str,
    /// The console up to the moment when the engine answered.
    pub(crate) console: &'a [String],
    /// The guest's disk that is the archive of an inner engine's image.
    pub(crate) image: &'a str,
    /// And the one that is the archive of a Debian root.
    pub(crate) debian: &'a str,
    /// What a boot before this one has promised to be on the disk.
    pub(crate) promised: &'a RefCell<Vec<String>>,
    /// For the report's notes.
    pub(crate) notes: &'a RefCell<Vec<String>>,
}

impl Place<'_> {
    pub(crate) fn note(&self, what: String) {
        self.notes.borrow_mut().push(what);
    }
}

/// One check: its name, and the question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(pub(crate) &'static str, pub(crate) fn(&Place) -> Result<()>);

/// A check's error where a download that it alone needs is missing.
#[derive(Debug)]
pub(crate) struct CannotRun(pub(crate) Missing);

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl Error for CannotRun {}

/// The guest's port that the harness forwards for published ports.
pub(crate) const PUBLISHED: u16 = 8080;

pub(crate) const COMMON: &[Row] = &[
    Row("cgroup-version", limits::cgroup_version),
    Row("bridge-address", networks::bridge_address),
    Row("published-port", networks::published_port),
    Row("logs", containers::logs),
    Row("volume", containers::volume),
    Row("user-network", networks::user_network),
];

/// What needs room in /tmp, where runc keeps the process that is to be executed in a container.
pub(crate) const EXECUTED: &[Row] = &[
    Row("exec", containers::exec),
    Row("restart", containers::restart),
];

/// Rows that one engine answers for all.
pub(crate) const IPV6: &[Row] = &[Row("ipv6-network", networks::ipv6_network)];

pub(crate) const LIMITS: &[Row] = &[
    Row("memory-limit", limits::memory),
    Row("pids-limit", limits::pids),
];

/// Kernels 6.12 and 7.2 of Debian have no version 1 memory and cpuset: they are named once, and the boot goes on.
pub(crate) const MISSING_CONTROLLERS: &[Row] = &[
    Row("warns-of-missing-controllers", warns_of_missing_controllers),
    Row("pids-limit", limits::pids),
];

/// No step failed, and none was worth a warning.
pub(crate) const QUIET: &[Row] = &[Row("no-warning", no_warning)];

/// In this order: the second kills the daemon, and what comes after asks the next one.
pub(crate) const SUPERVISED: &[Row] = &[
    Row("ready", supervision::ready),
    Row("killed", supervision::container_survives),
    Row("ready-program", supervision::ready_program),
    Row("no-zombies", supervision::no_zombies),
    Row("docker-stop", stop::supervised),
];

/// An appliance in its first life, back after a shutdown, and after a cut of its power.
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

/// A container that writes to the disk, and is there when the machine is powered off.
pub(crate) const LEFT: &[Row] = &[Row("left-running", containers::left_running)];

/// How long a container may take from its start to its first answer.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long a command of the agent's may take: the emulated Docker client is slow to start, and some start it a few times.
const SHELL: Duration = Duration::from_secs(240);

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

fn no_warning(place: &Place) -> Result<()> {
    let lines = said(place, &["warning: "]);
    ensure!(
        lines.is_empty(),
        "dockerlaunch has something to say:\n{}",
        lines.join("\n")
    );
    Ok(())
}

/// Lines of dockerlaunch that have all the words.
fn said<'a>(place: &Place<'a>, words: &[&str]) -> Vec<&'a str> {
    let lines = place
        .console
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains(SPEAKER));
    lines
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .collect()
}

/// What a command writes in a guest that has the agent; an unsuccessful one is an error.
pub(super) fn shell(place: &Place, command: &str) -> Result<String> {
    shell_within(place, SHELL, command)
}

/// The same where it may take longer.
pub(super) fn shell_within(place: &Place, limit: Duration, command: &str) -> Result<String> {
    let answer = place.guest.shell(limit, command)?;
    ensure!(
        answer.status == 0,
        "`{command}`: status {}: {}",
        answer.status,
        answer.output
    );
    Ok(answer.output)
}

pub(super) fn with(host: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// Tries until it succeeds: a server in a container cannot tell the outside that it listens.
pub(in crate::checks) fn until<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > limit => {
                bail!("{what}: not within {} s: {error:#}", limit.as_secs())
            }
            Err(_) => sleep(Duration::from_millis(200)),
        }
    }
}
