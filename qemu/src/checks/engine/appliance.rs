//! An appliance's engine in three lives on one state disk: it is new and is shut down; it is back, and the power is cut while it
//! writes; it is back with every file that was synced.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bollard::models::{HostConfig, RestartPolicy, RestartPolicyNameEnum::ALWAYS};

use super::place::{ANSWERS_WITHIN, Place, bind, said, until, with};
use crate::checks::seen::same;

/// A volume and where its containers have it.
const DATA: &str = "data:/data";

/// A container that ran to its end, and synced its file, before the machine was shut down.
const YESTERDAY: &str = "yesterday";
const ITS_OUTPUT: &str = "written yesterday\n";
const ITS_COMMAND: &[&str] = &[
    "sh",
    "-c",
    "echo written yesterday | dd of=/data/file conv=fsync 2> /dev/null; cat /data/file",
];

/// A container that the engine starts itself.
const ALWAYS_UP: &str = "always-up";

/// A container that writes each file's number after it has synced the file.
const WRITER: &str = "writer";
const WRITES: &[&str] = &[
    "sh",
    "-c",
    "i=0; while :; do i=$((i+1)); echo content $i | dd of=/data/$i conv=fsync 2> /dev/null && echo $i; done",
];
/// How many files there are, at least, when the power is cut.
const FILES: usize = 20;
const WRITES_WITHIN: Duration = Duration::from_secs(60);

/// The state disk was blank: it has a new file system, and is mounted at the engine's data root.
pub(super) fn state(place: &Place) -> Result<()> {
    made_and_mounted(place, 1)
}

/// No file system is made in a later boot.
pub(super) fn state_again(place: &Place) -> Result<()> {
    made_and_mounted(place, 0)
}

fn made_and_mounted(place: &Place, count: usize) -> Result<()> {
    let made = said(place, &["is blank: making"]);
    same("the number of file systems made", made.len(), count)?;
    let lines = said(place, &["(ext4) is mounted at /var/lib/docker"]);
    same("the number of lines about its mount", lines.len(), 1)
}

/// `-b docker9 --bip 172.31.9.1/24`: containers have addresses of this network, and reach the bridge.
pub(super) fn bridge(place: &Place) -> Result<()> {
    let said = place
        .engine
        .run(&["sh", "-c", "ip -o addr; ping -c 1 172.31.9.1"])?;
    ensure!(
        said.contains("inet 172.31.9."),
        "no address of --bip: {said}"
    );
    Ok(())
}

/// Leaves containers and a file for the next life.
pub(super) fn leave(place: &Place) -> Result<()> {
    let body = with(bind(DATA));
    let id = place.engine.start(Some(YESTERDAY), ITS_COMMAND, body)?;
    same("its exit status", place.engine.wait(&id)?, 0)?;
    same("its output", place.engine.logs(&id)?.as_str(), ITS_OUTPUT)?;
    let always = HostConfig {
        restart_policy: Some(RestartPolicy {
            name: Some(ALWAYS),
            ..RestartPolicy::default()
        }),
        ..HostConfig::default()
    };
    place
        .engine
        .start(Some(ALWAYS_UP), &["sleep", "1000000"], with(always))
        .map(drop)
}

pub(super) fn restarted(place: &Place) -> Result<()> {
    until(ANSWERS_WITHIN, "the container that always runs", || {
        place.engine.pid(ALWAYS_UP)
    })
    .map(drop)
}

pub(super) fn yesterday(place: &Place) -> Result<()> {
    let state = place.engine.inspect(YESTERDAY)?.state;
    let status = state.and_then(|state| state.exit_code);
    same("its status", status, Some(0))?;
    same(
        "its file",
        read(place, "cat /data/file")?.as_str(),
        ITS_OUTPUT,
    )
}

/// Writes and syncs files without an end: the power is cut next.
pub(super) fn write(place: &Place) -> Result<()> {
    let body = with(bind(DATA));
    let id = place.engine.start(Some(WRITER), WRITES, body)?;
    let told = until(WRITES_WITHIN, "files that are fsynced", || {
        let told = place.engine.logs(&id)?;
        let count = told.lines().count();
        ensure!(count >= FILES, "{count} of {FILES}");
        Ok(told)
    })?;
    *place.promised.borrow_mut() = told.lines().map(str::to_owned).collect();
    Ok(())
}

/// Every file that the writer had synced is there, with its content.
pub(super) fn promised(place: &Place) -> Result<()> {
    let promised = place.promised.borrow();
    ensure!(promised.len() >= FILES, "no file was synced");
    let found = read(
        place,
        "cd /data; for i in [0-9]*; do echo $i $(cat $i); done",
    )?;
    for number in promised.iter() {
        let line = format!("{number} content {number}");
        let there = found.lines().any(|found| found == line);
        ensure!(
            there,
            "file {number} of {} is lost: {found}",
            promised.len()
        );
    }
    Ok(())
}

fn read(place: &Place, command: &str) -> Result<String> {
    let command_line = ["sh", "-c", command];
    let ran = place.engine.run_with(&command_line, with(bind(DATA)));
    let ran = ran.with_context(|| format!("`{command}`"))?;
    same("the reader's status", ran.status, 0)?;
    Ok(ran.output)
}
