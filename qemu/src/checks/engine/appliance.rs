//! An appliance's engine through three lives on one state disk: made, shut down; back, and cut off while it writes; back
//! again with all that was promised to be on the disk.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bollard::models::{
    ContainerCreateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum::ALWAYS,
};

use super::{ANSWERS_WITHIN, Place, said, until, with};
use crate::checks::seen::same;

/// It ran to its end before the power went, and its file was fsynced.
const YESTERDAY: &str = "yesterday";
const ITS_WORD: &str = "written yesterday\n";
const ITS_COMMAND: &[&str] = &[
    "sh",
    "-c",
    "echo written yesterday | dd of=/data/file conv=fsync 2> /dev/null; cat /data/file",
];

/// The engine starts it by itself.
const ALWAYS_UP: &str = "always-up";

/// Tells every file's number after it was fsynced.
const WRITER: &str = "writer";
const WRITES: &[&str] = &[
    "sh",
    "-c",
    "i=0; while :; do i=$((i+1)); echo content $i | dd of=/data/$i conv=fsync 2> /dev/null && echo $i; done",
];
/// So many are there when the power is cut.
const FILES: usize = 20;
const WRITES_WITHIN: Duration = Duration::from_secs(60);

/// The state disk was blank: it was given a file system, and is mounted where the engine keeps its data.
pub(super) fn state(place: &Place) -> Result<()> {
    let made = said(place, &["is blank: making"]);
    same("the number of file systems made", made.len(), 1)?;
    mounted(place)
}

/// Nothing is made twice.
pub(super) fn state_again(place: &Place) -> Result<()> {
    let made = said(place, &["is blank: making"]);
    same("the number of file systems made", made.len(), 0)?;
    mounted(place)
}

fn mounted(place: &Place) -> Result<()> {
    let lines = said(place, &["(ext4) is mounted at /var/lib/docker"]);
    same("the number of mounts that are told", lines.len(), 1)
}

/// `-b docker9 --bip 172.31.9.1/24`: containers have their addresses out of it, and reach the bridge there.
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

/// What the next life is to find.
pub(super) fn leave(place: &Place) -> Result<()> {
    let data = || HostConfig {
        binds: Some(vec!["data:/data".into()]),
        ..HostConfig::default()
    };
    let id = place
        .engine
        .start(Some(YESTERDAY), ITS_COMMAND, with(data()))?;
    same("its status", place.engine.wait(&id)?, 0)?;
    same("its word", place.engine.logs(&id)?.as_str(), ITS_WORD)?;
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
        ITS_WORD,
    )
}

/// Files are written and fsynced, and it does not stop: the power is cut next.
pub(super) fn write(place: &Place) -> Result<()> {
    let body = ContainerCreateBody {
        host_config: Some(HostConfig {
            binds: Some(vec!["data:/data".into()]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
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

/// Every file of which the writer had told is there, and holds what was written.
pub(super) fn promised(place: &Place) -> Result<()> {
    let promised = place.promised.borrow();
    ensure!(promised.len() >= FILES, "nothing was promised");
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
    let data = HostConfig {
        binds: Some(vec!["data:/data".into()]),
        ..HostConfig::default()
    };
    let ran = place.engine.run_with(&["sh", "-c", command], with(data));
    let ran = ran.with_context(|| format!("`{command}`"))?;
    same("the reader's status", ran.status, 0)?;
    Ok(ran.output)
}
