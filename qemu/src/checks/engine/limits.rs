//! Control groups: which version the engine sees, and that the limits of a container hold.

use anyhow::{Context, Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::{Place, with};
use crate::checks::seen::same;

const MIB: i64 = 1024 * 1024;
/// Where a container finds its own limits, by the version of the control groups: Docker mounts only its own part there.
const LIMIT_FILES: &[(&str, &str, &str)] = &[
    (
        "1",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/pids/pids.max",
    ),
    ("2", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"),
];

pub(super) fn cgroup_version(place: &Place) -> Result<()> {
    same(
        "the version the engine sees",
        place.engine.cgroup_version()?.as_str(),
        place.cgroup,
    )
}

/// The container reads its limit, and is killed when it wants more.
pub(super) fn memory(place: &Place) -> Result<()> {
    let (file, _) = limit_files(place)?;
    let command = format!("cat {file}; exec dd if=/dev/zero of=/dev/null bs=64M count=1");
    let container = place
        .engine
        .start(None, &["sh", "-c", &command], limited_memory(32 * MIB))?;
    let status = place.engine.wait(&container)?;
    let killed = place
        .engine
        .inspect(&container)?
        .state
        .and_then(|state| state.oom_killed);
    let output = place.engine.logs(&container)?;
    place.engine.remove(&container)?;
    ensure!(
        output.lines().any(|line| line == (32 * MIB).to_string()),
        "{file} does not say 32 MiB: {output}"
    );
    same("the status", status, 137)?;
    same("OOMKilled", killed, Some(true))
}

/// The container reads its limit, and cannot start more.
pub(super) fn pids(place: &Place) -> Result<()> {
    let (_, file) = limit_files(place)?;
    let command =
        format!("cat {file}; for n in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; echo all");
    let ran = place
        .engine
        .run_with(&["sh", "-c", &command], limited_pids(7))?;
    // Two streams come in no order.
    ensure!(
        ran.output.lines().any(|line| line == "7"),
        "{file} does not say 7: {}",
        ran.output
    );
    ensure!(
        ran.status != 0 && ran.output.contains("can't fork"),
        "more than seven run: status {}, {}",
        ran.status,
        ran.output
    );
    Ok(())
}

fn limit_files(place: &Place) -> Result<(&'static str, &'static str)> {
    let row = LIMIT_FILES
        .iter()
        .find(|(version, ..)| *version == place.cgroup);
    row.map(|(_, memory, pids)| (*memory, *pids))
        .with_context(|| format!("no row for version {}", place.cgroup))
}

fn limited_memory(bytes: i64) -> ContainerCreateBody {
    with(HostConfig {
        memory: Some(bytes),
        memory_swap: Some(bytes),
        ..HostConfig::default()
    })
}

fn limited_pids(limit: i64) -> ContainerCreateBody {
    with(HostConfig {
        pids_limit: Some(limit),
        ..HostConfig::default()
    })
}
