//! The resource limits and the OOM score that the daemon, its containerd and the containers inherit from this process.

use crate::{
    error::Step,
    fs::{self, Lookup},
    launch::Launch,
    text::{number, trim},
};
use core::ffi::CStr;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// A resource limit that the daemon and its containers start with; `None` is unlimited.
struct Limit {
    resource: Resource,
    soft: Option<u64>,
    hard: Option<u64>,
    /// The file with the highest value that the kernel accepts.
    highest: &'static CStr,
    name: &'static CStr,
}

/// The limits of moby's unit file: 1024:524288 open files (moby#45534), and no limit on processes and core files.
const LIMITS: &[Limit] = &[
    Limit {
        resource: Resource::Nofile,
        soft: Some(1024),
        hard: Some(524_288),
        highest: c"/proc/sys/fs/nr_open",
        name: c"RLIMIT_NOFILE",
    },
    Limit {
        resource: Resource::Nproc,
        soft: None,
        hard: None,
        highest: c"",
        name: c"RLIMIT_NPROC",
    },
    Limit {
        resource: Resource::Core,
        soft: None,
        hard: None,
        highest: c"",
        name: c"RLIMIT_CORE",
    },
];

/// The kernel should kill dockerd among the last; runc resets the value for containers.
const OOM_SCORE: &[u8] = b"-500";
const OOM_SCORE_ADJ: &CStr = c"/proc/self/oom_score_adj";
/// Raises what is lower than Docker needs. A refusal is no error: the daemon then starts with what it can get.
pub(crate) fn raise(launch: &Launch<'_>) {
    raise_limits(launch);
    match fs::write_word(OOM_SCORE_ADJ, OOM_SCORE) {
        // Without CAP_SYS_RESOURCE the score can only be raised.
        Err(Errno::ACCESS | Errno::PERM) => launch
            .log
            .debug("oom_score_adj stays: the kernel refuses {}", &[OOM_SCORE]),
        outcome => _ = outcome.or_warn(launch.log, Step::Daemon, OOM_SCORE_ADJ),
    }
}

/// Raises limits, never lowers them. If the kernel refuses a value, the limit is raised as far as it allows.
fn raise_limits(launch: &Launch<'_>) {
    let higher = |now: Option<u64>, wanted: Option<u64>| Some(now?.max(wanted?));
    for limit in LIMITS {
        let now = getrlimit(limit.resource);
        let raise = |hard: Option<u64>| {
            let maximum = higher(now.maximum, hard);
            let soft = limit
                .soft
                .map(|soft| soft.min(maximum.unwrap_or(soft)))
                .or(maximum);
            let wanted = Rlimit {
                current: higher(now.current, soft),
                maximum,
            };
            if wanted == now {
                return Ok(());
            }
            setrlimit(limit.resource, wanted)
        };
        match raise(limit.hard) {
            Ok(()) => continue,
            Err(Errno::PERM) => {}
            outcome => _ = outcome.or_warn(launch.log, Step::Daemon, limit.name),
        }
        launch.log.debug(
            "{}: the kernel does not allow raising it that far",
            &[limit.name.to_bytes()],
        );
        let mut buffer = [0; 32];
        let highest = fs::read_small(limit.highest, &mut buffer)
            .if_exists_or_warn(launch.log, Step::Daemon, limit.highest)
            .and_then(|text| number(trim(text)));
        if highest.is_none_or(|highest| raise(Some(highest)) == Err(Errno::PERM)) {
            raise(now.maximum).or_warn(launch.log, Step::Daemon, limit.name);
        }
    }
}
