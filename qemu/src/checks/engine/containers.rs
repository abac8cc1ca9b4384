//! A container: exec, logs, volumes, a restart.

use anyhow::{Result, ensure};
use bollard::models::ContainerCreateBody;

use super::place::{ANSWERS_WITHIN, Place, bind, until, with};
use crate::{checks::seen::same, engine::Ran};

/// A container that only waits.
const WAIT: &[&str] = &["sleep", "600"];

pub(super) fn exec(place: &Place) -> Result<()> {
    let container = place
        .engine
        .start(None, WAIT, ContainerCreateBody::default())?;
    let ran = place.engine.exec(
        &container,
        &["sh", "-c", "echo to stdout; echo to stderr >&2; exit 7"],
    );
    place.engine.remove(&container)?;
    let ran = ran?;
    wrote(&ran, 7, ["to stdout\n", "to stderr\n"])
}

pub(super) fn logs(place: &Place) -> Result<()> {
    let ran = place.engine.run_with(
        &["sh", "-c", "echo first; echo second >&2; exit 3"],
        ContainerCreateBody::default(),
    )?;
    wrote(&ran, 3, ["first\n", "second\n"])
}

/// The status, and both streams in any order.
fn wrote(ran: &Ran, status: i64, lines: [&str; 2]) -> Result<()> {
    same("the status", ran.status, status)?;
    ensure!(
        lines.iter().all(|line| ran.output.contains(line)),
        "the output is {:?}",
        ran.output
    );
    Ok(())
}

pub(super) fn volume(place: &Place) -> Result<()> {
    let run = |command: &str| {
        let body = with(bind("kept:/kept"));
        place.engine.run_with(&["sh", "-c", command], body)
    };
    same(
        "the writer's status",
        run("echo written > /kept/file")?.status,
        0,
    )?;
    same(
        "what the reader found",
        run("cat /kept/file")?.output.as_str(),
        "written\n",
    )
}

pub(super) fn restart(place: &Place) -> Result<()> {
    let count = "echo started >> /starts; exec sleep 600";
    let container =
        place
            .engine
            .start(None, &["sh", "-c", count], ContainerCreateBody::default())?;
    let before = place.engine.pid(&container)?;
    place.engine.restart(&container)?;
    let after = place.engine.pid(&container)?;
    let starts = until(ANSWERS_WITHIN, "the second start", || {
        let output = place.engine.exec(&container, &["cat", "/starts"])?.output;
        ensure!(
            output == "started\nstarted\n",
            "the container's file has {output:?}"
        );
        Ok(())
    });
    place.engine.remove(&container)?;
    ensure!(before != after, "it is the same process: {before}");
    starts
}

pub(super) fn left_running(place: &Place) -> Result<()> {
    let body = ContainerCreateBody {
        // A shell that is PID 1 ignores SIGTERM, and the engine would wait for ten seconds.
        stop_timeout: Some(1),
        ..with(bind("left:/left"))
    };
    let write = "while :; do echo written >> /left/file; sleep 1; done";
    let container = place.engine.start(None, &["sh", "-c", write], body)?;
    until(ANSWERS_WITHIN, "what the container writes", || {
        let output = place
            .engine
            .exec(&container, &["cat", "/left/file"])?
            .output;
        ensure!(output.contains("written"), "the file has {output:?}");
        Ok(())
    })
}
