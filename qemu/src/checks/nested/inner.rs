//! An engine in a container: its names, its start, and commands in it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{
    checks::{
        engine::{Place, shell_within, until},
        restarts::{self, ANSWERS, TOO_SLOW, Verdict},
    },
    host::tools::last_lines,
    machine::SPEAKER,
};

/// As the guide's page has it, with this image's name.
pub(super) const RUN: &str = "docker run --name daemon --privileged -d dockerlaunch";
/// The container's name there.
pub(super) const DAEMON: &str = "daemon";

/// How long an engine in an emulated container may take until it answers, and how long the loading of its image may take.
pub(super) const WITHIN: Duration = Duration::from_secs(400);
/// Waits until the container's engine has answered in this many lives. It is started again once if containerd was too slow.
pub(super) fn answers(place: &Place, container: &str, lives: usize) -> Result<()> {
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
                    "it has ended; its logs:\n{}",
                    last_lines(&said)
                )));
            }
            excused = true;
            place.note(format!(
                "the engine in the container `{container}` was started once more: {TOO_SLOW}"
            ));
            shell(place, &format!("docker start {container}"))?;
        }
        bail!("{answered} of {lives}; its logs:\n{}", last_lines(&said))
    })?
}

/// Runs a command in the container, and returns its output. A status other than 0 is an error.
pub(super) fn inside(place: &Place, container: &str, command: &str) -> Result<String> {
    let ran = place.engine.exec(container, &["sh", "-c", command])?;
    ensure!(
        ran.status == 0,
        "`{command}` in the container: status {}: {}",
        ran.status,
        ran.output
    );
    Ok(ran.output)
}

pub(super) fn shell(place: &Place, command: &str) -> Result<String> {
    shell_within(place, WITHIN, command)
}

pub(super) fn id(place: &Place, container: &str) -> Result<String> {
    let id = place.engine.inspect(container)?.id;
    id.context("the engine did not report the container's id")
}

/// dockerlaunch's lines in a container's logs.
pub(super) fn launched(said: &str) -> Vec<&str> {
    said.lines()
        .filter(|line| line.starts_with(SPEAKER))
        .collect()
}

/// Where the archive of busybox's image is in the guest, for each inner engine.
pub(super) const BUSYBOX: &str = "/run/busybox.tar";

/// Loads the image of busybox into the container's engine.
pub(super) fn give_busybox(place: &Place, container: &str) -> Result<()> {
    let command = format!("docker exec --interactive {container} docker load < {BUSYBOX}");
    shell(place, &command).map(drop)
}
