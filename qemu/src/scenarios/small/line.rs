//! The kernel command line: quotes, `--` and the choice of the network card, which need a real kernel.

use super::builder::{Scenario, WITH_MODULES, small};
use crate::checks::expect::{
    Content::Is,
    Expect::{self, *},
};

/// dummy0 and bond0 are there before eth0; QEMU's first card is 52:54:00:12:34:56.
const ON_THE_CARD: &[Expect] = &[
    Module("dummy"),
    Module("bonding"),
    LinkUp("eth0"),
    Address("eth0 10.0.2.15/24"),
    Route("0.0.0.0/0 via 10.0.2.2 dev eth0"),
    Hostname("docker-123456"),
];

/// The kernel removes the quotes of what it passes to PID 1, and stops at a second `--`.
const UNQUOTED: &[Expect] = &[
    File("/etc/resolv.conf", "644", Is("nameserver 10.0.2.3\n")),
    Arguments(&["dockerd", "--label", "a b"]),
    SaysOnly(&[]),
];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[small(
    "case-d2",
    "dummy0 and bond0 before the network card; quotes around arguments and values; BOOTIF= and a second -- after --",
    &[ON_THE_CARD, UNQUOTED],
)
.groups(WITH_MODULES)
.append(&[
    "\"DOCKER_LAUNCH_MODULES=dummy,bonding,virtio_net\"",
    "ip=\"10.0.2.15/24::10.0.2.2\"",
    "DOCKER_LAUNCH_DNS=\"10.0.2.3\"",
])
.words(&["--label", "a b", "BOOTIF=01-52-54-00-12-34-56", "--", "--debug"])];
