//! Every cgroup setting, on a kernel with all version 1 controllers and on one without memory and cpuset.

use super::builder::{NO_MODULES, Root, Scenario, Suite, small};
use crate::checks::expect::Expect::{self, *};

const OPTIONS: &str = "rw,nosuid,nodev,noexec,relatime";

const V2: &[Expect] = &[
    Mount(
        "/sys/fs/cgroup",
        "cgroup2",
        OPTIONS,
        "nsdelegate,memory_recursiveprot",
    ),
    Controllers(&["cpu", "cpuset", "io", "memory", "pids"]),
    SaysOnly(&[NO_MODULES]),
];

const WITHOUT: &[Expect] = &[
    Mount("/sys/fs/cgroup", "cgroup2", OPTIONS, "nsdelegate"),
    Controllers(&["cpu", "pids"]),
];

pub(super) const V1: &[Expect] = &[
    Mount("/sys/fs/cgroup", "tmpfs", OPTIONS, "mode=755"),
    Mount(
        "/sys/fs/cgroup/cpu,cpuacct",
        "cgroup",
        OPTIONS,
        "cpu,cpuacct",
    ),
    Mount(
        "/sys/fs/cgroup/net_cls,net_prio",
        "cgroup",
        OPTIONS,
        "net_cls,net_prio",
    ),
    Mount("/sys/fs/cgroup/devices", "cgroup", OPTIONS, "devices"),
    Mount("/sys/fs/cgroup/pids", "cgroup", OPTIONS, "pids"),
    Mount("/sys/fs/cgroup/blkio", "cgroup", OPTIONS, "blkio"),
    Mount("/sys/fs/cgroup/freezer", "cgroup", OPTIONS, "freezer"),
    Mount("/sys/fs/cgroup/perf_event", "cgroup", OPTIONS, "perf_event"),
    Mount("/sys/fs/cgroup/systemd", "cgroup", OPTIONS, "name=systemd"),
    Link("/sys/fs/cgroup/cpu", "cpu,cpuacct"),
    Link("/sys/fs/cgroup/cpuacct", "cpu,cpuacct"),
    Link("/sys/fs/cgroup/net_cls", "net_cls,net_prio"),
    Link("/sys/fs/cgroup/net_prio", "net_cls,net_prio"),
];

/// Up to 6.1.
pub(super) const WITH_MEMORY: &[Expect] = &[
    Mount("/sys/fs/cgroup/memory", "cgroup", OPTIONS, "memory"),
    Mount("/sys/fs/cgroup/cpuset", "cgroup", OPTIONS, "cpuset"),
    SaysOnly(&[NO_MODULES]),
];

/// Since 6.12: one line warns, and no empty directory misleads Docker.
const WITHOUT_MEMORY: &[Expect] = &[
    Absent("/sys/fs/cgroup/memory"),
    Absent("/sys/fs/cgroup/cpuset"),
    SaysOnly(&[&["warning: ", "memory", "cpuset"], NO_MODULES]),
];

pub(super) const ONLY_V1: &[Expect] = &[NotMounted("/sys/fs/cgroup/unified")];
const UNIFIED: &[Expect] = &[Mount(
    "/sys/fs/cgroup/unified",
    "cgroup2",
    OPTIONS,
    "nsdelegate",
)];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "cgroup-auto-bookworm",
        "auto chooses version 2 if both are complete",
        &[V2],
    )
    .on(Suite::Bookworm, Root::Disk),
    small("cgroup-v2-bookworm", "version 2 by setting", &[V2])
        .on(Suite::Bookworm, Root::Disk)
        .append(&["DOCKER_LAUNCH_CGROUP=v2"])
        .long(),
    small(
        "cgroup-v1-bookworm",
        "every version 1 controller, the joined ones with their links",
        &[V1, WITH_MEMORY, ONLY_V1],
    )
    .on(Suite::Bookworm, Root::Disk)
    .append(&["DOCKER_LAUNCH_CGROUP=v1"]),
    small(
        "cgroup-hybrid-bookworm",
        "version 1 and an empty unified hierarchy",
        &[V1, WITH_MEMORY, UNIFIED],
    )
    .on(Suite::Bookworm, Root::Disk)
    .append(&["DOCKER_LAUNCH_CGROUP=hybrid"]),
    small(
        "cgroup-without-memory",
        "auto chooses version 2 if version 1 lacks the same controller",
        &[WITHOUT],
    )
    .on(Suite::Bookworm, Root::Disk)
    .append(&["cgroup_disable=memory"]),
    small(
        "cgroup-auto-trixie",
        "auto on a kernel without version 1 memory",
        &[V2],
    )
    .append(&["DOCKER_LAUNCH_CGROUP=auto"])
    .long(),
    small("cgroup-v2-trixie", "version 2 by setting", &[V2])
        .append(&["DOCKER_LAUNCH_CGROUP=v2"])
        .long(),
    small(
        "cgroup-v1-trixie",
        "6.12 lists memory and cpuset as enabled and then refuses them",
        &[V1, WITHOUT_MEMORY, ONLY_V1],
    )
    .append(&["DOCKER_LAUNCH_CGROUP=v1"]),
    small(
        "cgroup-v1-sid",
        "kernel 7 no longer lists them: Docker would run without those limits and without a warning",
        &[V1, WITHOUT_MEMORY, ONLY_V1],
    )
    .on(Suite::Sid, Root::Disk)
    .append(&["DOCKER_LAUNCH_CGROUP=v1"]),
    small(
        "cgroup-hybrid-trixie",
        "the same with a unified hierarchy beside it",
        &[V1, WITHOUT_MEMORY, UNIFIED],
    )
    .append(&["DOCKER_LAUNCH_CGROUP=hybrid"]),
];
