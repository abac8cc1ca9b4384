//! Lives of a container: it is restarted, killed and started, stopped and started, while containers run in it. Each time the engine
//! comes back, and so do its containers with a restart policy.

use anyhow::{Result, bail, ensure};

use super::inner::{WITHIN, answers, give_busybox, inside, shell};
use crate::checks::engine::{Place, until};

/// Three ways to the next life.
const WAYS: &[&str] = &[
    "docker restart lived",
    "docker kill -s KILL lived && docker start lived",
    "docker stop lived && docker start lived",
];
/// How many lives the long checks have.
const MANY: usize = 20;

/// Two containers with a restart policy. Their new start times show that a new life has begun.
const ALWAYS: &str = "for policy in always unless-stopped; do docker run --detach --name $policy --restart $policy \
    --network none --stop-signal KILL busybox sleep 1000000 || exit; done";

pub(super) fn each(place: &Place) -> Result<()> {
    live(place, "", WAYS.len())
}

pub(super) fn many(place: &Place) -> Result<()> {
    live(place, "", MANY)
}

pub(super) fn many_reaped(place: &Place) -> Result<()> {
    live(place, "--env DOCKER_LAUNCH_REAP=true", MANY)
}

fn live(place: &Place, options: &str, lives: usize) -> Result<()> {
    shell(
        place,
        &format!("docker run --name lived --privileged -d {options} dockerlaunch"),
    )?;
    answers(place, "lived", 1)?;
    give_busybox(place, "lived")?;
    inside(place, "lived", ALWAYS)?;
    let mut before = running(place)?;
    for (life, way) in (1..=lives).zip(WAYS.iter().cycle()) {
        shell(place, way)?;
        answers(place, "lived", life + 1)?;
        before = until(WITHIN, "the inner containers", || {
            let now = running(place)?;
            ensure!(
                now.iter().all(|start| !before.contains(start)),
                "life {life} (`{way}`): they run since {now:?}"
            );
            Ok(now)
        })?;
    }
    place.engine.remove("lived")
}

/// When the two containers started.
fn running(place: &Place) -> Result<[String; 2]> {
    let said = inside(
        place,
        "lived",
        "docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' always unless-stopped",
    )?;
    let starts: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("true "))
        .map(str::to_owned)
        .collect();
    match <[String; 2]>::try_from(starts) {
        Ok(starts) => Ok(starts),
        Err(_) => bail!("they do not run: {said}"),
    }
}
