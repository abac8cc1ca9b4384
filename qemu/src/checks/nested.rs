//! An engine in a container, of the image that `cargo qemu image --format oci` makes and the guest's own `docker load`
//! takes. The agent in the guest says the commands word for word as the image's page has them; what only looks is asked
//! over the guest's API, because an emulated Docker client takes seconds to start.

mod certificates;
mod cgroups;
mod containers;
mod deeper;
mod field;
mod lives;
mod options;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{
    engine::{Place, Row, shell_within, until},
    restarts::{self, Verdict},
};
use crate::run::last_lines;

/// What the others build on: the image, and the container that runs.
pub(crate) const LOADED: &[Row] = &[Row("load", containers::load)];
pub(crate) const SEEDED: &[Row] = &[Row("load", containers::load), Row("seed", containers::seed)];

/// A new container's engine, to its end, on a guest with version 2.
pub(crate) const ON_TWO: &[Row] = &[
    Row("processes-in-init", cgroups::processes_in_init),
    Row("limits", containers::limits),
    Row("published-port", containers::published_port),
    Row("guest-unchanged", cgroups::guest_unchanged),
];

/// The same on a guest with version 1, where nothing is moved.
pub(crate) const ON_ONE: &[Row] = &[
    Row("nothing-mounted", cgroups::nothing_mounted),
    Row("limits", containers::limits),
    Row("published-port", containers::published_port),
    Row("legacy-iptables", containers::legacy_iptables),
    Row("guest-unchanged", cgroups::guest_unchanged),
];

/// What has no client, no shell and no modprobe in it.
pub(crate) const SMALLEST: &[Row] = &[Row("run", containers::smallest)];

/// Version 2 where others come in between, and where there is nothing to be had.
pub(crate) const CGROUPS: &[Row] = &[
    Row("exec-race", cgroups::exec_race),
    Row("cgroup-shared", cgroups::shared),
    Row("cgroup-read-only", cgroups::read_only),
];

/// What else `docker run` can be told.
pub(crate) const OPTIONS: &[Row] = &[
    Row("init-and-read-only", options::init_and_read_only),
    Row("pid-host", options::pid_host),
    Row("user-namespace", options::user_namespace),
];

/// What outer engines in the field give it.
pub(crate) const FIELD: &[Row] = &[
    Row("d1-var-run", field::var_run),
    Row("c3-etc-read-only", field::etc_read_only),
];

/// Each way to stop and to start.
pub(crate) const LIVES: &[Row] = &[Row("lives", lives::each)];

/// What else takes long: the image in another, as the seed's page embeds it; an engine with certificates; one level more.
pub(crate) const DEEPER: &[Row] = &[
    Row("embedded", deeper::embedded),
    Row("certificates", certificates::served),
    Row("three-levels", deeper::three_levels),
];

pub(crate) const MANY_LIVES: &[Row] = &[
    Row("twenty-lives", lives::many),
    Row("twenty-lives-reaped", lives::many_reaped),
];

/// As the seed's page has it, with this image's name.
const RUN: &str = "docker run --name daemon --privileged -d dockerlaunch";
/// The container's name there.
const DAEMON: &str = "daemon";

/// How long an engine in an emulated container may take until it answers, and the loading of its image.
const WITHIN: Duration = Duration::from_secs(400);
/// What dockerd gives up with when containerd has not answered for 15 s, as happens where both are emulated and their files
/// not yet in memory.
pub(super) const TOO_SLOW: &str =
    "failed to start containerd: timeout waiting for containerd to start";
/// What it says when it answers, once in each life.
pub(super) const ANSWERS: &str = "API listen on /";

/// Waits until the container's engine has answered for so many lives. One that was too slow for itself is started again, once.
fn answers(place: &Place, container: &str, lives: usize) -> Result<()> {
    let mut excused = false;
    until(WITHIN, "the engine in the container", || {
        let said = place.engine.logs(container)?;
        let answered = said.matches(ANSWERS).count();
        if answered >= lives {
            return Ok(Ok(()));
        }
        if place.engine.pid(container).is_err() {
            if restarts::of_container(&said, excused) == Verdict::Failed {
                return Ok(Err(anyhow::anyhow!(
                    "it has ended; it said\n{}",
                    last_lines(&said)
                )));
            }
            excused = true;
            place.note(format!(
                "the engine in the container `{container}` was started once more: {TOO_SLOW}"
            ));
            shell(place, &format!("docker start {container}"))?;
        }
        bail!("{answered} of {lives}; it said\n{}", last_lines(&said))
    })?
}

/// What the command says in the container; an unsuccessful one is an error.
fn inside(place: &Place, container: &str, command: &str) -> Result<String> {
    let ran = place.engine.exec(container, &["sh", "-c", command])?;
    ensure!(
        ran.status == 0,
        "`{command}` in the container: status {}: {}",
        ran.status,
        ran.output
    );
    Ok(ran.output)
}

fn shell(place: &Place, command: &str) -> Result<String> {
    shell_within(place, WITHIN, command)
}

fn id(place: &Place, container: &str) -> Result<String> {
    let id = place.engine.inspect(container)?.id;
    id.context("the engine did not tell the container's id")
}

/// The lines of dockerlaunch in what a container said.
fn launched(said: &str) -> Vec<&str> {
    said.lines()
        .filter(|line| line.starts_with(super::seen::SPEAKER))
        .collect()
}
