//! Docker in Docker: the image that is shipped, loaded by a guest's own engine, and an engine of each suite in a container.

use super::{AGENT, Large, ONE, Scenario, TWO, large, long};
use crate::{
    checks::nested::{
        CGROUPS, EMBEDDED, LIVES, MANY_LIVES, ON_ONE, ON_TWO, OPTIONS, SMALLEST, THREE,
    },
    scenarios::{Inner, Root},
    suites::Suite,
};

const READY: &[&str] = &["DOCKER_LAUNCH_READY=/opt/agent"];

const TRIXIE: Inner = Inner {
    name: "trixie",
    suite: Suite::Trixie,
    smallest: false,
    checks: &[],
};
const BOOKWORM: Inner = Inner {
    name: "bookworm",
    suite: Suite::Bookworm,
    ..TRIXIE
};
const SID: Inner = Inner {
    name: "sid",
    suite: Suite::Sid,
    ..TRIXIE
};

const ON_VERSION_TWO: Large = Large {
    image: AGENT,
    checks: &[],
    end: &[],
    inner: &[
        Inner {
            checks: &[ON_TWO, CGROUPS, OPTIONS, LIVES],
            ..TRIXIE
        },
        Inner {
            checks: &[ON_TWO],
            ..BOOKWORM
        },
        Inner {
            checks: &[ON_TWO],
            ..SID
        },
        Inner {
            name: "smallest",
            smallest: true,
            checks: &[SMALLEST],
            ..TRIXIE
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
            checks: &[ON_ONE],
            ..BOOKWORM
        },
        Inner {
            checks: &[ON_ONE],
            ..TRIXIE
        },
        Inner {
            checks: &[ON_ONE],
            ..SID
        },
    ],
    ..ONE
};

const HYBRID: &[Inner] = &[Inner {
    checks: &[ON_ONE],
    ..BOOKWORM
}];

const DEEPER: Large = Large {
    inner: &[Inner {
        checks: &[EMBEDDED, THREE],
        ..TRIXIE
    }],
    ..ON_VERSION_TWO
};
const MANY: Large = Large {
    inner: &[Inner {
        checks: &[MANY_LIVES],
        ..TRIXIE
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
