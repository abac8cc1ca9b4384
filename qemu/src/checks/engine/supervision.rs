//! A supervised engine: its line once it is ready, its restart while clients use it, and the processes that containers leave. The
//! client is the agent in the guest, because the listening socket that outlives the daemon is a file there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::place::{ANSWERS_WITHIN, Place, said, shell, until, with};
use crate::{checks::seen::same, engine::launch::is_ready};

/// In milliseconds: the console's first line comes once the kernel has found its port, a second after its clock has started.
const CLOCKS_DIFFER: u128 = 5000;

/// A container that waits for SIGTERM and then ends.
const WAIT: &[&str] = &[
    "sh",
    "-c",
    "trap exit TERM; while :; do sleep 1 & wait $!; done",
];

/// The line comes once, and its time agrees with the host's clock.
pub(super) fn ready(place: &Place) -> Result<()> {
    let lines = said(place, &["docker is ready, ", " ms after kernel start"]);
    same("the number of lines", lines.len(), 1)?;
    let told: u128 = lines[0]
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .with_context(|| format!("no number in `{}`", lines[0]))?;
    let console = place.guest.console();
    let line = console.iter().find(|line| is_ready(&line.text));
    let start = place.guest.kernel_start().context("the kernel is silent")?;
    let measured = line
        .context("the line is gone")?
        .at
        .duration_since(start)
        .as_millis();
    ensure!(
        told.abs_diff(measured) < CLOCKS_DIFFER,
        "the guest counts {told} ms, the host {measured} ms"
    );
    Ok(())
}

/// dockerlaunch has started this agent, once.
pub(super) fn ready_program(place: &Place) -> Result<()> {
    same(
        "its starts",
        shell(place, "cat /run/agent-starts")?.as_str(),
        "started\n",
    )
}

/// Kills dockerd while a client reads its events. Other clients connect before the next dockerd has started: they wait, and get an
/// answer.
pub(super) fn killed(place: &Place) -> Result<()> {
    shell(place, "(docker events; echo ended) > /run/events 2>&1 &")?;
    until(ANSWERS_WITHIN, "the first event", || {
        place.engine.run(&["true"])?;
        ensure!(
            shell(place, "cat /run/events")?.contains("container start"),
            "none yet"
        );
        Ok(())
    })?;
    let before = shell(place, "pidof dockerd")?;
    let command = "kill -9 $(pidof dockerd); probe --probe=ping:20; docker version --format 'client and {{.Server.Version}}'";
    let answers = shell(place, command)?;
    ensure!(
        answers.contains("20 connected, 20 answered") && answers.contains("client and "),
        "{answers}"
    );
    let events = shell(place, "cat /run/events")?;
    ensure!(
        events.ends_with("ended\n"),
        "the stream of events has not ended: {events}"
    );
    let after = shell(place, "pidof dockerd")?;
    ensure!(
        before != after,
        "dockerd was not killed: it is still {before}"
    );
    Ok(())
}

/// With live-restore a container goes on while its daemon dies and another one starts.
pub(super) fn container_survives(place: &Place) -> Result<()> {
    let container = place
        .engine
        .start(None, WAIT, ContainerCreateBody::default())?;
    let before = place.engine.pid(&container)?;
    killed(place)?;
    let after = until(ANSWERS_WITHIN, "the new engine", || {
        place.engine.pid(&container)
    })?;
    same("its process", after, before)
}

/// Kills containerd. dockerd and a container go on, and another container starts with the next containerd.
pub(super) fn containerd_killed(place: &Place) -> Result<()> {
    let container = place
        .engine
        .start(None, WAIT, ContainerCreateBody::default())?;
    let pid = place.engine.pid(&container)?;
    let pids = || shell(place, "pidof dockerd; pidof containerd");
    let before = pids()?;
    shell(place, "kill -9 $(pidof containerd)")?;
    until(ANSWERS_WITHIN, "the next containerd", || {
        ensure!(pids()? != before, "containerd has not ended");
        place.engine.run(&["true"])
    })?;
    let (before, after) = (before.lines().collect::<Vec<_>>(), pids()?);
    let after: Vec<_> = after.lines().collect();
    same("dockerd", after.first(), before.first())?;
    ensure!(after.get(1) != before.get(1), "containerd was not killed");
    same(
        "the container's process",
        place.engine.pid(&container)?,
        pid,
    )?;
    shell(place, &format!("docker kill {container}"))?;
    place.engine.remove(&container)
}

/// The shim of a container is an orphan: PID 1 has to reap it, even if the container shares PID 1's namespace.
pub(super) fn no_zombies(place: &Place) -> Result<()> {
    let on_host = with(HostConfig {
        pid_mode: Some("host".into()),
        ..HostConfig::default()
    });
    let containers = [
        place.engine.start(None, WAIT, on_host)?,
        place
            .engine
            .start(None, WAIT, ContainerCreateBody::default())?,
        place
            .engine
            .start(None, WAIT, ContainerCreateBody::default())?,
    ];
    for container in &containers {
        shell(place, &format!("docker kill {container}"))?;
        place.engine.remove(container)?;
    }
    reaped(place, ANSWERS_WITHIN)
}

/// Waits until the guest has no zombie.
pub(in crate::checks) fn reaped(place: &Place, limit: Duration) -> Result<()> {
    until(limit, "the last zombie to be reaped", || {
        let zombies = shell(place, "grep -l '^State:.Z' /proc/[0-9]*/status; true")?;
        ensure!(zombies.is_empty(), "{zombies}");
        Ok(())
    })
}
