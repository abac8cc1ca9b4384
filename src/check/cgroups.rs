//! Reports which controllers can limit containers, in the mounted hierarchies or in those that can be mounted.

use super::report::{Report, State};
use crate::{
    docker::needs::Need,
    fs,
    kernel::{hierarchies::Layout, mountinfo::Mount},
    text::{list, number, words},
};

struct Controller {
    /// Its names in v2 and in v1.
    names: [&'static str; 2],
    need: Need,
    lost: &'static str,
    error: &'static str,
}

const TABLE: &[Controller] = &[
    Controller {
        names: ["cpu", "cpu"],
        need: Need::Optional,
        lost: "docker run --cpus and --cpu-shares fail",
        error: "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
    },
    Controller {
        names: ["cpuset", "cpuset"],
        need: Need::Optional,
        lost: "docker run --cpuset-cpus is ignored",
        error: "Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.",
    },
    Controller {
        names: ["io", "blkio"],
        need: Need::Optional,
        lost: "docker run --blkio-weight and --device-read-bps are ignored",
        error: "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    },
    Controller {
        names: ["memory", "memory"],
        need: Need::Optional,
        lost: "docker run --memory is ignored",
        error: "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
    },
    Controller {
        names: ["pids", "pids"],
        need: Need::Optional,
        lost: "docker run --pids-limit is ignored",
        error: "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
    },
    // v2 has no such controller: BPF programs replace it.
    Controller {
        names: ["", "devices"],
        need: Need::Required,
        lost: "dockerd does not start",
        error: "Devices cgroup isn't mounted",
    },
];

/// Controllers as bits.
type Set = u32;

/// What exists on this kernel.
struct Hierarchies {
    layout: Layout,
    v2: Set,
    v1: Set,
    /// Enabled, mounted or not.
    enabled: Set,
}

pub(super) fn report(report: &mut Report) {
    let found = Hierarchies::find();
    let layout = match found.layout {
        Layout::V2 => "v2 is mounted",
        Layout::Nothing => "none is mounted yet",
        Layout::V1 | Layout::Hybrid => "v1 is mounted",
        Layout::WithoutDevices => "v1 is mounted, without the controller devices",
    };
    let without = (Need::Required, "", "");
    report.offer("kernel", "cgroups", State::Found, ("how", layout), without);
    for (place, row) in TABLE.iter().enumerate() {
        let bit = 1 << place;
        let [v2, v1] = row.names;
        let is_v2 = found.layout == Layout::V2;
        let is_mounted = found.layout != Layout::Nothing;
        let (state, key, detail) = match () {
            () if is_v2 && v2.is_empty() => (State::Found, "how", "by BPF, in v2"),
            () if is_v2 && found.v2 & bit != 0 => (State::Found, "how", "in v2"),
            () if !is_v2 && found.v1 & bit != 0 => (State::Found, "how", "in v1"),
            () if !is_mounted && found.enabled & bit != 0 => {
                (State::Found, "how", "can be mounted")
            }
            () if found.v1 & bit != 0 => (
                State::missing(row.need),
                "fault",
                "only in v1, but v2 is used",
            ),
            () => (
                State::missing(row.need),
                "fault",
                "not in the mounted hierarchy",
            ),
        };
        let name = if v2.is_empty() { v1 } else { v2 };
        let without = (row.need, row.lost, row.error);
        report.offer("controller", name, state, (key, detail), without);
    }
}

impl Hierarchies {
    fn find() -> Self {
        let mut found = Self {
            // If mountinfo cannot be read, nothing counts as mounted.
            layout: Layout::find().unwrap_or(Layout::Nothing),
            v2: 0,
            v1: 0,
            enabled: 0,
        };
        // An unreadable file counts as empty.
        let mut buffer = [0; 1024];
        let controllers = fs::read_small(c"/sys/fs/cgroup/cgroup.controllers", &mut buffer);
        for name in words(controllers.unwrap_or_default()) {
            found.v2 |= named(name, 0);
        }
        let _ = fs::lines(c"/proc/self/mountinfo", &mut |line| {
            let v1 = Mount::parse(line).filter(|mount| mount.kind == b"cgroup");
            for option in list(v1.map_or(b"", |mount| mount.options)) {
                found.v1 |= named(option, 1);
            }
        });
        let _ = fs::lines(c"/proc/cgroups", &mut |line| {
            let mut fields = words(line);
            let name = fields.next().unwrap_or_default();
            if fields.nth(2).and_then(number) == Some(1) {
                found.enabled |= named(name, 1);
            }
        });
        found
    }
}

/// The controller with this name in v2 (0) or v1 (1).
fn named(name: &[u8], version: usize) -> Set {
    let is = |row: &Controller| {
        row.names
            .get(version)
            .is_some_and(|own| own.as_bytes() == name)
    };
    let rows = TABLE.iter().enumerate();
    rows.fold(0, |set, (place, row)| set | Set::from(is(row)) << place)
}
