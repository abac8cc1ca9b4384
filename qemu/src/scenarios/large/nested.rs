//! Docker in Docker: the image that is shipped, loaded by a guest's own engine, and an engine of each suite in a container.

use super::{AGENT, Large, ONE, Scenario, TWO, large};
use crate::{
    checks::nested::{CGROUPS, LIVES, ON_ONE, ON_TWO, OPTIONS},
    scenarios::{Inner, Root},
    suites::Suite,
};

const READY: &[&str] = &["DOCKER_LAUNCH_READY=/opt/agent"];

const ON_VERSION_TWO: Large = Large {
    image: AGENT,
    checks: &[],
    end: &[],
    inner: &[
        Inner {
            suite: Suite::Trixie,
            checks: &[ON_TWO, CGROUPS, OPTIONS, LIVES],
        },
        Inner {
            suite: Suite::Bookworm,
            checks: &[ON_TWO],
        },
        Inner {
            suite: Suite::Sid,
            checks: &[ON_TWO],
        },
    ],
    ..TWO
};

const ON_VERSION_ONE: Large = Large {
    image: AGENT,
    checks: &[],
    end: &[],
    inner: &[
        Inner {
            suite: Suite::Bookworm,
            checks: &[ON_ONE],
        },
        Inner {
            suite: Suite::Trixie,
            checks: &[ON_ONE],
        },
        Inner {
            suite: Suite::Sid,
            checks: &[ON_ONE],
        },
    ],
    ..ONE
};

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    large(
        "nested",
        "an engine in a container has its own part of version 2, and comes back whatever it ended with",
        Suite::Trixie,
        Root::Disk,
        READY,
        ON_VERSION_TWO,
    ),
    large(
        "nested-v1",
        "an engine in a container leaves the guest's hierarchies as they are; legacy iptables",
        Suite::Bookworm,
        Root::Disk,
        &[
            "DOCKER_LAUNCH_READY=/opt/agent",
            "DOCKER_LAUNCH_CGROUP=v1",
            "module_blacklist=nf_tables",
        ],
        ON_VERSION_ONE,
    ),
];
