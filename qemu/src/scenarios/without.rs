//! Guests that show what each prerequisite is for, and what fails without it. One guest runs while each is taken away and put back;
//! modprobe has its own guest, because a loaded module stays.

use super::{
    engines::Large,
    large::{TWO, large},
    scenario::{Root, Scenario},
    small::small,
};
use crate::{
    checks::{
        expect::Expect::{self, *},
        prerequisites::PACKAGED,
    },
    image::Group,
    packages::suites::Suite,
};

/// All groups that the engine uses, except modprobe.
const WITHOUT_MODPROBE: &[Group] = &[
    Group::Program,
    Group::Engine,
    Group::Iptables,
    Group::Apparmor,
    Group::Git,
    Group::Ssh,
    Group::Certificates,
    Group::Busybox,
    Group::Libraries,
    Group::Modules,
    Group::System,
];

/// The kernel has overlay, bridge, nf_tables and ip_tables as modules, and also needs modprobe to load them. Without nf_tables
/// dockerlaunch expects the legacy tables.
const NO_MODPROBE: &[Expect] = &[
    Lines(
        "modprobe without",
        &[
            &[
                "dockerlaunch: warning: modprobe is missing",
                "no kernel module is loaded",
            ],
            &["failed to mount overlay: no such device"],
            &[
                "Running modprobe bridge br_netfilter failed with message",
                "\"modprobe\": executable file not found in $PATH",
            ],
            &[
                "failed to start daemon: Error initializing network controller",
                "(legacy): can't initialize iptables table `nat': Table does not exist",
            ],
        ],
    ),
    Panic("exitcode=0x00000100"),
];

const ALL: Large = Large {
    image: PACKAGED,
    checks: &[],
    prerequisites: true,
    end: &[],
    ..TWO
};

pub(super) const TABLE: &[Scenario] = &[
    small(
        "prerequisites-modprobe",
        "without modprobe neither storage nor network works",
        &[NO_MODPROBE],
    )
    .groups(WITHOUT_MODPROBE)
    .append(&[
        "DOCKER_LAUNCH_PREREQUISITES=warn",
        // The end of a daemon that is PID 1 is a panic, which may cut off its last lines on the serial port.
        "DOCKER_LAUNCH_ON_EXIT=exit",
    ])
    .refused(),
    Scenario {
        words: &["--experimental", "--ip6tables"],
        ..large(
            "prerequisites",
            "each of Docker's prerequisites, with it and without it",
            Suite::Trixie,
            Root::Disk,
            &[],
            ALL,
        )
    },
];
