//! `docker stop` of an engine in a container. It becomes one SIGTERM: the engine gives its own containers 10 s to end, and
//! whoever gives the engine no more than that kills it. Under a dockerlaunch that stays, PID 1 ends as the engine did.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Place, shell, until};
use crate::{boot, checks::seen::same};

/// As the page about Docker in Docker asks: Docker's patience is more than that of PID 1, which is not the 90 s of the default.
const REAPED: &str =
    "--stop-timeout 120 --env DOCKER_LAUNCH_REAP=true --env DOCKER_LAUNCH_SHUTDOWN_TIMEOUT=110";

/// PID 1 of a container that has no handler for SIGTERM does not hear it.
const DEAF: &str = "docker save busybox | docker exec --interactive inner docker load && \
    docker exec inner docker run --detach --network none --name deaf busybox sleep 86400";

/// The engine of the guest's own /usr, in a container, and one that does not hear in it.
fn start(place: &Place, options: &str) -> Result<()> {
    let run = format!(
        "docker run --detach --name inner --privileged --network none {options} \
         --volume /usr:/usr:ro --volume /var/lib/docker busybox /usr/bin/dockerlaunch --bridge=none --iptables=false"
    );
    shell(place, &run)?;
    ready(place)?;
    shell(place, DEAF).map(drop)
}

/// PID 1 asks once, waits, and ends as the engine did.
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

/// What Docker gives a container that says nothing about it.
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
    until(boot::READY, "the engine in the container", || {
        shell(place, "docker exec inner docker version").map(drop)
    })
}

/// Its status, and how long it took by the guest's clock.
fn stop(place: &Place, words: &str) -> Result<(u32, Duration)> {
    let command = format!(
        "set -e; cat /proc/uptime; docker stop {words} inner; cat /proc/uptime; \
         docker inspect --format '{{{{.State.ExitCode}}}}' inner"
    );
    let said = shell(place, &command)?;
    let lines: Vec<&str> = said.lines().collect();
    let [before, "inner", after, status] = lines[..] else {
        anyhow::bail!("unexpected: {said}");
    };
    let time = |line: &str| {
        let seconds = line.split(' ').next();
        let seconds = seconds.and_then(|word| word.parse::<f64>().ok());
        seconds.with_context(|| format!("no time: {line}"))
    };
    let took = Duration::from_secs_f64(time(after)? - time(before)?);
    Ok((status.parse()?, took))
}
