//! Docker in Docker: the image that is shipped, loaded by a guest's own engine, and an engine of each suite in a container.

use super::{AGENT, Large, ONE, Scenario, TWO, large, long};
use crate::{
    checks::nested::{CGROUPS, EMBEDDED, LIVES, MANY_LIVES, ON_ONE, ON_TWO, OPTIONS, THREE},
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

const HYBRID: &[Inner] = &[Inner {
    suite: Suite::Bookworm,
    checks: &[ON_ONE],
}];

const DEEPER: Large = Large {
    inner: &[Inner {
        suite: Suite::Trixie,
        checks: &[EMBEDDED, THREE],
    }],
    ..ON_VERSION_TWO
};
const MANY: Large = Large {
    inner: &[Inner {
        suite: Suite::Trixie,
        checks: &[MANY_LIVES],
    }],
    ..ON_VERSION_TWO
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
    long(large(
        "nested-deeper",
        "the image embedded in a Debian root; an engine in a container in an engine in a container",
        Suite::Trixie,
        Root::Disk,
        READY,
        DEEPER,
    )),
    long(large(
        "nested-lives",
        "twenty lives of an engine in a container, and of its containers",
        Suite::Trixie,
        Root::Disk,
        READY,
        MANY,
    )),
    long(large(
        "nested-hybrid",
        "hybrid is version 1 to an engine in a container, too",
        Suite::Bookworm,
        Root::Disk,
        &[
            "DOCKER_LAUNCH_READY=/opt/agent",
            "DOCKER_LAUNCH_CGROUP=hybrid",
            "module_blacklist=nf_tables",
        ],
        Large {
            inner: HYBRID,
            ..ON_VERSION_ONE
        },
    )),
];
