//! `docker stop` of an engine in a container. It becomes one SIGTERM: the engine gives its own containers 10 s to end, so it must
//! itself have more than that. A dockerlaunch that supervises ends with the engine's status.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::place::{Place, shell, until};
use crate::{checks::seen::same, engine::launch::READY};

/// As in the guide's page about Docker in Docker: docker stop waits longer than PID 1 does.
const REAPED: &str =
    "--stop-timeout 120 --env DOCKER_LAUNCH_REAP=true --env DOCKER_LAUNCH_SHUTDOWN_TIMEOUT=110";

/// A container whose PID 1 has no handler for SIGTERM, so it ignores the signal.
const DEAF: &str = "docker save busybox | docker exec --interactive inner docker load && \
    docker exec inner docker run --detach --network none --name deaf busybox sleep 86400";

/// Starts an engine in a container, with the guest's own /usr; and in that engine a container that ignores SIGTERM.
fn start(place: &Place, options: &str) -> Result<()> {
    let run = format!(
        "docker run --detach --name inner --privileged --network none {options} \
         --volume /usr:/usr:ro --volume /var/lib/docker busybox /usr/bin/dockerlaunch --bridge=none --iptables=false"
    );
    shell(place, &run)?;
    ready(place)?;
    shell(place, DEAF).map(drop)
}

/// PID 1 sends one SIGTERM, waits, and ends with the engine's status.
pub(super) fn supervised(place: &Place) -> Result<()> {
    start(place, REAPED)?;
    shell(place, "docker stop inner")?;
    let ended = "docker inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' inner";
    let ended = shell(place, ended)?;
    same("how it ended", ended.trim(), "0 false")?;
    let said = shell(place, "docker logs inner 2>&1")?;
    for line in [
        "dockerlaunch: SIGTERM to dockerd, which has 110 s",
        "dockerlaunch: dockerd ended with status 0",
    ] {
        same(line, said.lines().filter(|said| *said == line).count(), 1)?;
    }
    shell(place, "docker rm --volumes inner").map(drop)
}

/// How long docker stop waits by default.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn in_time(place: &Place) -> Result<()> {
    start(place, "")?;
    let (status, _) = stop(place, "")?;
    same("how it ends with the 10 s of docker stop", status, 137)?;

    shell(place, "docker start inner")?;
    ready(place)?;
    shell(place, "docker exec inner docker start deaf")?;
    let (status, took) = stop(place, "--time 120")?;
    shell(place, "docker rm --volumes inner")?;
    same("how it ends when there is time", status, 0)?;
    ensure!(
        took >= PATIENCE,
        "it took {took:?}: its container did not get {PATIENCE:?}"
    );
    Ok(())
}

fn ready(place: &Place) -> Result<()> {
    until(READY, "the engine in the container", || {
        shell(place, "docker exec inner docker version").map(drop)
    })
}

/// Stops the engine; returns its status, and how long it took by the guest's clock.
fn stop(place: &Place, options: &str) -> Result<(u32, Duration)> {
    let command = format!(
        "set -e; cat /proc/uptime; docker stop {options} inner; cat /proc/uptime; \
         docker inspect --format '{{{{.State.ExitCode}}}}' inner"
    );
    let said = shell(place, &command)?;
    let lines: Vec<&str> = said.lines().collect();
    let [before, "inner", after, status] = lines[..] else {
        anyhow::bail!("unexpected output: {said}");
    };
    let time = |line: &str| {
        let seconds = line.split(' ').next();
        let seconds = seconds.and_then(|word| word.parse::<f64>().ok());
        seconds.with_context(|| format!("no time: {line}"))
    };
    let took = Duration::from_secs_f64(time(after)? - time(before)?);
    Ok((status.parse()?, took))
}
