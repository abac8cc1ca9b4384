//! Guests with a real engine. By default one of each suite and the pairs that tell something new; the rest with --long.

use super::{Large, Root, Scenario, Size, When};
use crate::{
    checks::engine::{COMMON, LIMITS, MISSING_CONTROLLERS, QUIET, Row},
    suites::Suite,
};

const FULL: &[&[Row]] = &[QUIET, COMMON, LIMITS];
/// Without memory and cpuset, which the kernels of trixie and sid no longer have in version 1.
const REDUCED: &[&[Row]] = &[COMMON, MISSING_CONTROLLERS];

pub(super) const fn large(
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
        size: Size::Large(large),
        when: When::Default,
    }
}

const fn long(scenario: Scenario) -> Scenario {
    Scenario {
        when: When::Long,
        ..scenario
    }
}

const AUTO: &[&str] = &[];
const V1: &[&str] = &["DOCKER_LAUNCH_CGROUP=v1"];
const HYBRID: &[&str] = &["DOCKER_LAUNCH_CGROUP=hybrid"];

const fn plain(cgroup: &'static str, checks: &'static [&'static [Row]]) -> Large {
    Large {
        cgroup,
        checks,
        prerequisites: false,
        image: &[],
    }
}

/// The limits of a container hold.
const TWO: Large = plain("2", FULL);
const ONE: Large = plain("1", FULL);
const ONE_REDUCED: Large = plain("1", REDUCED);

pub(super) const TABLE: &[Scenario] = &[
    large(
        "trixie-disk",
        "Debian stable as most will run it",
        Suite::Trixie,
        Root::Disk,
        AUTO,
        TWO,
    ),
    large(
        "trixie-initramfs",
        "runc needs pivot_root, which an initramfs refuses without the rebind",
        Suite::Trixie,
        Root::Initramfs,
        AUTO,
        TWO,
    ),
    large(
        "bookworm-disk-v1",
        "version 1 with its memory and pids limits, on the last kernel that has them",
        Suite::Bookworm,
        Root::Disk,
        V1,
        ONE,
    ),
    large(
        "trixie-disk-v1",
        "version 1 where the kernel lacks memory and cpuset: named once, and Docker runs",
        Suite::Trixie,
        Root::Disk,
        V1,
        ONE_REDUCED,
    ),
    large(
        "sid-disk",
        "the newest kernel and engine",
        Suite::Sid,
        Root::Disk,
        AUTO,
        TWO,
    ),
    long(large(
        "bookworm-disk",
        "the oldest engine on version 2",
        Suite::Bookworm,
        Root::Disk,
        AUTO,
        TWO,
    )),
    long(large(
        "bookworm-disk-hybrid",
        "version 1 with a unified hierarchy beside it",
        Suite::Bookworm,
        Root::Disk,
        HYBRID,
        ONE,
    )),
    long(large(
        "bookworm-initramfs",
        "the rebind under the oldest runc",
        Suite::Bookworm,
        Root::Initramfs,
        AUTO,
        TWO,
    )),
    long(large(
        "bookworm-initramfs-v1",
        "the rebind moves the mounts of every hierarchy with it",
        Suite::Bookworm,
        Root::Initramfs,
        V1,
        ONE,
    )),
    long(large(
        "trixie-disk-hybrid",
        "hybrid where version 1 lacks memory and cpuset",
        Suite::Trixie,
        Root::Disk,
        HYBRID,
        ONE_REDUCED,
    )),
    long(large(
        "sid-initramfs",
        "kernel 7 puts an empty root under the initramfs",
        Suite::Sid,
        Root::Initramfs,
        AUTO,
        TWO,
    )),
    long(large(
        "sid-disk-v1",
        "version 1 as the newest kernel offers it",
        Suite::Sid,
        Root::Disk,
        V1,
        ONE_REDUCED,
    )),
];
