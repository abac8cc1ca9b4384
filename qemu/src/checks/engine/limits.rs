//! Cgroups: the version that the engine uses, and the limits of a container.

use anyhow::{Context, Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::place::{Place, with};
use crate::checks::seen::same;

const MIB: i64 = 1024 * 1024;
/// Where a container reads its own limits, by the version of cgroups.
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
        "the version that the engine uses",
        place.engine.cgroup_version()?.as_str(),
        place.cgroup,
    )
}

/// The container reads its limit; a program in it that allocates less succeeds, one that allocates more is killed. (Whether the
/// engine then reports OOMKilled is a race inside the engine.)
pub(super) fn memory(place: &Place) -> Result<()> {
    let (file, _) = limit_files(place)?;
    let allocate = |size| {
        format!("dd if=/dev/zero of=/dev/null bs={size} count=1 2>/dev/null; echo {size}: $?")
    };
    let command = format!("cat {file}; {}; {}", allocate("4M"), allocate("64M"));
    let ran = place
        .engine
        .run_with(&["sh", "-c", &command], limited_memory(32 * MIB))?;
    let said: Vec<&str> = ran
        .output
        .lines()
        .filter(|line| *line != "Killed")
        .collect();
    same(
        "the limit, and the two statuses",
        said,
        vec![(32 * MIB).to_string().as_str(), "4M: 0", "64M: 137"],
    )
}

/// The container reads its limit, and cannot start more processes.
pub(super) fn pids(place: &Place) -> Result<()> {
    let (_, file) = limit_files(place)?;
    let command =
        format!("cat {file}; for n in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; echo all");
    let ran = place
        .engine
        .run_with(&["sh", "-c", &command], limited_pids(7))?;
    // The two streams have no order.
    ensure!(
        ran.output.lines().any(|line| line == "7"),
        "{file} is not 7: {}",
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
