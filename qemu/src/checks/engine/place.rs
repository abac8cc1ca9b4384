//! What a check may use: the guest, its engine, and the helpers that all checks share.

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

use crate::{
    engine::Engine,
    machine::{Guest, SPEAKER},
    report::Missing,
};

/// What a check may use.
pub(crate) struct Place<'a> {
    pub(crate) guest: &'a Guest,
    pub(crate) engine: &'a Engine,
    /// The port on 127.0.0.1 that leads to `PUBLISHED` in the guest.
    pub(crate) published: u16,
    /// For an engine's image.
    pub(crate) busybox: &'a Path,
    /// `1` or `2`, as in `docker info`: for Docker, hybrid is 1.
    pub(crate) cgroup: &'a str,
    /// The console until the engine answered.
    pub(crate) console: &'a [String],
    /// The guest's disk with the archive of an inner engine's image.
    pub(crate) image: &'a str,
    /// The guest's disk with the archive of a Debian root.
    pub(crate) debian: &'a str,
    /// Lines about files that an earlier boot has synced to the disk.
    pub(crate) promised: &'a RefCell<Vec<String>>,
    /// For the report's notes.
    pub(crate) notes: &'a RefCell<Vec<String>>,
}

impl Place<'_> {
    pub(crate) fn note(&self, what: String) {
        self.notes.borrow_mut().push(what);
    }
}

/// One check: its name and its function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(pub(crate) &'static str, pub(crate) fn(&Place) -> Result<()>);

/// The error of a check that cannot run, because a download that it alone needs is missing.
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

/// How long a container may take from its start to its first answer.
pub(in crate::checks) const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long a command of the agent may take: the emulated Docker client is slow to start, and some commands start it several times.
const SHELL: Duration = Duration::from_secs(240);

/// dockerlaunch's lines that contain all the words.
pub(super) fn said<'a>(place: &Place<'a>, words: &[&str]) -> Vec<&'a str> {
    let lines = place
        .console
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains(SPEAKER));
    lines
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .collect()
}

/// Runs a command in a guest that has the agent, and returns its output. A status other than 0 is an error.
pub(in crate::checks) fn shell(place: &Place, command: &str) -> Result<String> {
    shell_within(place, SHELL, command)
}

/// The same with another limit.
pub(in crate::checks) fn shell_within(
    place: &Place,
    limit: Duration,
    command: &str,
) -> Result<String> {
    let answer = place.guest.shell(limit, command)?;
    ensure!(
        answer.status == 0,
        "`{command}`: status {}: {}",
        answer.status,
        answer.output
    );
    Ok(answer.output)
}

pub(in crate::checks) fn with(host: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// Tries until it succeeds: nothing outside a container shows that its server listens.
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

/// A host configuration with one volume or bind mount.
pub(super) fn bind(volume: &str) -> HostConfig {
    HostConfig {
        binds: Some(vec![volume.into()]),
        ..HostConfig::default()
    }
}
