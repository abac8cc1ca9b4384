//! The classic builder, whose steps are containers; and BuildKit in the engine, whose steps are none and inherit the engine's limits.

use anyhow::{Context, Result, ensure};

use super::super::place::{Place, shell};
use crate::checks::seen::same;

/// The score by which the kernel chooses what to kill when memory runs out, and the limits of open files.
const INHERITED: &str = "cat /proc/self/oom_score_adj; ulimit -S -n; ulimit -H -n";

/// The same for the engine. It raises its own soft limit, as every Go program does, and gives its children the original one.
const ENGINE: &str = "cat /proc/$(pidof dockerd)/oom_score_adj; \
    grep '^Max open files' /proc/$(pidof dockerd)/limits";

/// A step of the classic builder has the limits of a container, also of memory.
pub(super) fn classic(place: &Place) -> Result<()> {
    let build = format!(
        "set -e; printf 'FROM busybox\\nRUN {{ cat /sys/fs/cgroup/memory.max; {INHERITED}; }} > /inherits\\n' | \
         DOCKER_BUILDKIT=0 docker build --memory 64m --quiet --tag classic - 2> /dev/null; \
         docker run --rm classic cat /inherits; docker rmi --force classic > /dev/null"
    );
    let said = shell(place, &build)?;
    let mut lines = said.splitn(3, '\n');
    let mut next = || lines.next().context("the output has too few lines");
    let (id, memory, step) = (next()?, next()?, next()?);
    ensure!(id.starts_with("sha256:"), "it built no image: {said}");
    same("its memory", memory, "67108864")?;
    let run = format!("docker run --rm busybox sh -c '{INHERITED}'");
    let container = shell(place, &run)?;
    same("a step has what a container has", step, container.as_str())?;
    ensure!(
        step.starts_with("0\n"),
        "a container's score is not the kernel's: {step}"
    );
    Ok(())
}

/// Two builds share a cache: the first one exports files, the second one an image.
pub(super) fn buildx(place: &Place) -> Result<()> {
    let build = "docker buildx build --progress plain --secret id=word,src=/opt/word";
    let files = format!(
        "set -e; {build} --build-arg ROUND=1 --target files --output type=local,dest=/run/files /opt/clients 2>&1; \
         echo THE FILES; cat /run/files/rounds /run/files/inherits"
    );
    let said = shell(place, &files)?;
    let (_, files) = said
        .split_once("THE FILES\n")
        .context("no files came out")?;
    let (round, step) = files.split_once('\n').context("the files are empty")?;
    same("the cache", round, "round 1")?;

    let image = format!(
        "set -e; {build} --build-arg ROUND=2 --tag made /opt/clients 2>&1; echo THE IMAGE; \
         docker run --rm made sh -c \
            'cat /made/rounds /made/secret-bytes; test -s /run/secrets/word || echo and no secret'"
    );
    let said = shell(place, &image)?;
    let (_, made) = said.split_once("THE IMAGE\n").context("no image")?;
    same(
        "the cache of both builds, and the secret's bytes",
        made,
        "round 1\nround 2\n13\nand no secret\n",
    )?;

    let engine = shell(place, ENGINE)?;
    let mut engine = engine.split_whitespace();
    let (score, hard) = (engine.next(), engine.nth(4));
    ensure!(score != Some("0"), "the engine has no score of its own");
    let mut step = step.lines();
    same("a step's score is the engine's", step.next(), score)?;
    same("the hard limit is the engine's", step.nth(1), hard)
}
