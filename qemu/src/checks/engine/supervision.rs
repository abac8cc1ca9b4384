//! A supervised engine: what it tells once it is ready, its death under its clients, and the children of containers. The agent in
//! the guest is the client, because the listening socket that outlives the daemon is a file there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::{ANSWERS_WITHIN, Place, said, shell, until, with};
use crate::{boot, checks::seen::same};

/// In milliseconds: the console's first line comes when the kernel has found its port, a second after its clock began.
const CLOCKS_DIFFER: u128 = 5000;

/// A container that ends when it is told to, and waits until then.
const WAIT: &[&str] = &[
    "sh",
    "-c",
    "trap exit TERM; while :; do sleep 1 & wait $!; done",
];

/// The sentence comes once, and the time in it is the one that went by here.
pub(super) fn ready(place: &Place) -> Result<()> {
    let lines = said(place, &["docker is ready, ", " ms after kernel start"]);
    same("the number of lines", lines.len(), 1)?;
    let told: u128 = lines[0]
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .with_context(|| format!("no number in `{}`", lines[0]))?;
    let console = place.guest.console();
    let line = console.iter().find(|line| boot::is_ready(&line.text));
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

/// It has started this agent, once.
pub(super) fn ready_program(place: &Place) -> Result<()> {
    same(
        "its starts",
        shell(place, "cat /run/agent-starts")?.as_str(),
        "started\n",
    )
}

/// dockerd dies under one client that listens to its events. Others connect at once, before the next one is there: they wait, and
/// are answered.
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
    ensure!(events.ends_with("ended\n"), "the stream goes on: {events}");
    let after = shell(place, "pidof dockerd")?;
    ensure!(
        before != after,
        "dockerd was not killed: it is still {before}"
    );
    Ok(())
}

/// Under live-restore a container does not notice that its daemon died.
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

/// The shim of a container is nobody's child: PID 1 has to reap it, also where the container shares PID 1's namespace.
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
