//! One engine and all its usual clients: Docker's own command, Compose and buildx as its plugins, the library for Python.

use super::builder::{AGENT, Change, Large, ON_DISK, Root, Scenario, Suite, TWO, large, long};
use crate::checks::engine::{CLIENTS, MORE_OF_CLIENTS};

/// The agent, the plugins, and the clients' files.
const IMAGE: &[Change] = &[
    AGENT[0],
    AGENT[1],
    Change::Packaged("usr/libexec/docker/cli-plugins/docker-compose"),
    Change::Packaged("usr/libexec/docker/cli-plugins/docker-buildx"),
    Change::Link(
        "usr/bin/docker-compose",
        "../libexec/docker/cli-plugins/docker-compose",
    ),
    Change::File(
        "opt/clients/compose.yaml",
        0o644,
        include_str!("../../../clients/compose.yaml"),
    ),
    Change::File(
        "opt/clients/Dockerfile",
        0o644,
        include_str!("../../../clients/Dockerfile"),
    ),
    Change::File("opt/word", 0o600, "a-secret-word"),
];

const READY: &[&str] = &["DOCKER_LAUNCH_READY=/opt/agent"];

const ASKED: Large = Large {
    image: IMAGE,
    checks: &[CLIENTS],
    end: ON_DISK,
    clients: true,
    ..TWO
};

pub(super) const TABLE: &[Scenario] = &[
    large(
        "clients",
        "every client and every builder works as with any other engine",
        Suite::Trixie,
        Root::Disk,
        READY,
        ASKED,
    ),
    long(large(
        "clients-more",
        "less common calls; and an engine in a container that needs more than the 10 s of docker stop",
        Suite::Trixie,
        Root::Disk,
        READY,
        Large {
            checks: &[MORE_OF_CLIENTS],
            ..ASKED
        },
    )),
];
