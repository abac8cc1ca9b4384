//! Makes the rows of large scenarios: what their engines are asked by default, and how they end.

use crate::{
    checks::{
        When,
        engine::{COMMON, EXECUTED, LEFT, LIMITS, QUIET, Row},
        expect::{
            End,
            Expect::{self, *},
        },
    },
    engine::launch::{ADDRESS, DRIVER},
};
pub(super) use crate::{
    image::{Change, Group},
    packages::suites::Suite,
    scenarios::{
        engines::{Inner, Large, Life},
        scenario::{Root, Scenario, Size},
    },
};

const FULL: &[&[Row]] = &[QUIET, COMMON, EXECUTED, LIMITS, LEFT];
/// The machine powers off after its button was pressed.
pub(in crate::scenarios) const OFF: &[Expect] = &[Ends(End::PowerOff)];
pub(in crate::scenarios) const CLEAN: &[Expect] = &[CleanDisk];
pub(in crate::scenarios) const ON_DISK: &[&[Expect]] = &[OFF, CLEAN];

pub(in crate::scenarios) const fn large(
    name: &'static str,
    why: &'static str,
    suite: Suite,
    root: Root,
    append: &'static [&'static str],
    large: Large,
) -> Scenario {
    Scenario {
        name,
        why,
        suite,
        root,
        append,
        words: &[],
        features: None,
        size: Size::Large(large),
        when: When::Default,
    }
}

pub(in crate::scenarios) const fn long(scenario: Scenario) -> Scenario {
    Scenario {
        when: When::Long,
        ..scenario
    }
}

/// An engine on cgroup version 2.
pub(in crate::scenarios) const TWO: Large = Large {
    cgroup: "2",
    groups: Group::ALL,
    image: &[],
    address: &[ADDRESS, DRIVER],
    disks: &[],
    checks: FULL,
    end: ON_DISK,
    prerequisites: false,
    clients: false,
    inner: &[],
    kills: 0,
    first: &[],
    lives: &[],
};
pub(in crate::scenarios) const ONE: Large = Large { cgroup: "1", ..TWO };

/// The agent, which dockerlaunch starts once the engine is ready: it runs the harness's commands in the guest.
pub(in crate::scenarios) const AGENT: &[Change] = &[
    Change::Probe("usr/bin/probe", 0o755),
    Change::File(
        "opt/agent",
        0o755,
        "#!/bin/sh
echo started >> /run/agent-starts
setsid /usr/bin/probe --probe=agent < /dev/null &
",
    ),
];
