//! Docker in Docker: the container image, loaded by a guest's own engine, and an engine of each suite in a container.

use super::builder::{AGENT, Inner, Large, ONE, Root, Scenario, Suite, TWO, large, long};
use crate::checks::nested::{
    self, CGROUPS, FIELD, LIVES, LOADED, MANY_LIVES, ON_ONE, ON_TWO, OPTIONS, SEEDED, SMALLEST,
};

const READY: &str = "DOCKER_LAUNCH_READY=/opt/agent";
/// A kernel without nf_tables, for the guest and its containers.
const LEGACY: &str = "module_blacklist=nf_tables";

const TRIXIE: Inner = Inner {
    name: "trixie",
    suite: Suite::Trixie,
    smallest: false,
    first: LOADED,
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

const TWO_NESTED: Large = Large {
    image: AGENT,
    checks: &[],
    end: &[],
    inner: &[
        Inner {
            first: SEEDED,
            checks: &[ON_TWO, FIELD, LIVES],
            ..TRIXIE
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
const OTHERS_ON_TWO: &[Inner] = &[
    Inner {
        first: SEEDED,
        checks: &[ON_TWO],
        ..BOOKWORM
    },
    Inner {
        first: SEEDED,
        checks: &[ON_TWO],
        ..SID
    },
];

const ONE_NESTED: Large = Large {
    image: AGENT,
    checks: &[],
    end: &[],
    inner: &[Inner {
        first: SEEDED,
        checks: &[ON_ONE],
        ..BOOKWORM
    }],
    ..ONE
};
const OTHERS_ON_ONE: &[Inner] = &[
    Inner {
        first: SEEDED,
        checks: &[ON_ONE],
        ..TRIXIE
    },
    Inner {
        first: SEEDED,
        checks: &[ON_ONE],
        ..SID
    },
];

const OTHERWISE: &[Inner] = &[Inner {
    checks: &[CGROUPS, OPTIONS],
    ..TRIXIE
}];
const DEEPER: &[Inner] = &[Inner {
    checks: &[nested::DEEPER],
    ..TRIXIE
}];
const MANY: &[Inner] = &[Inner {
    checks: &[MANY_LIVES],
    ..TRIXIE
}];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    large(
        "nested",
        "an engine in a container has its own part of version 2, and comes back after every kind of end",
        Suite::Trixie,
        Root::Disk,
        &[READY],
        TWO_NESTED,
    ),
    large(
        "nested-v1",
        "an engine in a container leaves the guest's hierarchies unchanged; legacy iptables",
        Suite::Bookworm,
        Root::Disk,
        &[READY, "DOCKER_LAUNCH_CGROUP=v1", LEGACY],
        ONE_NESTED,
    ),
    long(large(
        "nested-otherwise",
        "cgroups that are shared, entered by others or read-only; docker-init, the guest's processes, a read-only root, another user",
        Suite::Trixie,
        Root::Disk,
        &[READY],
        Large {
            inner: OTHERWISE,
            ..TWO_NESTED
        },
    )),
    long(large(
        "nested-others",
        "the oldest and the newest engine in a container, on version 2",
        Suite::Trixie,
        Root::Disk,
        &[READY],
        Large {
            inner: OTHERS_ON_TWO,
            ..TWO_NESTED
        },
    )),
    long(large(
        "nested-others-v1",
        "newer engines in a container of an older one, on version 1",
        Suite::Bookworm,
        Root::Disk,
        &[READY, "DOCKER_LAUNCH_CGROUP=v1", LEGACY],
        Large {
            inner: OTHERS_ON_ONE,
            ..ONE_NESTED
        },
    )),
    long(large(
        "nested-hybrid",
        "for an engine in a container, hybrid is version 1 as well",
        Suite::Bookworm,
        Root::Disk,
        &[READY, "DOCKER_LAUNCH_CGROUP=hybrid", LEGACY],
        ONE_NESTED,
    )),
    long(large(
        "nested-deeper",
        "the image embedded in a Debian root; certificates; an engine in a container in an engine in a container",
        Suite::Trixie,
        Root::Disk,
        &[READY],
        Large {
            inner: DEEPER,
            ..TWO_NESTED
        },
    )),
    long(large(
        "nested-lives",
        "twenty lives of an engine in a container, and of its containers",
        Suite::Trixie,
        Root::Disk,
        &[READY],
        Large {
            inner: MANY,
            ..TWO_NESTED
        },
    )),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_check_comes_after_those_that_it_needs() {
        let inner = TWO_NESTED.inner[0];
        let asked = |wanted: &[&str]| {
            let rows = inner.asked(|name| wanted.contains(&name));
            rows.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(
            asked(&["trixie:limits", "trixie:lives"]),
            [
                "trixie:load",
                "trixie:seed",
                "trixie:limits",
                "trixie:lives"
            ]
        );
        assert_eq!(asked(&["trixie:load"]), ["trixie:load"]);
        assert!(asked(&["smallest:run"]).is_empty());
    }
}
