//! A container's part of cgroup v2: moves its processes to /init, so that the controllers can be enabled for the cgroups of
//! inner containers beside it. The kernel enables none while the cgroup itself has processes.
//!
//! This happens only in the container's own cgroup. If the cgroup is shared, threaded or read-only, nothing moves and a
//! warning says so. The launch goes on: inner containers run there, but without limits.

use crate::{
    error::{Step, reason},
    fs,
    kernel::{children, hierarchies::ROOT},
    launch::{Context, Launch, Outcome},
    sys,
    text::{Text, words},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fs::{Access, CWD, Mode, access},
    io::{Errno, Result},
};

const TYPE: &CStr = c"/sys/fs/cgroup/cgroup.type";
const PROCESSES: &CStr = c"/sys/fs/cgroup/cgroup.procs";
const CONTROLLERS: &CStr = c"/sys/fs/cgroup/cgroup.controllers";
const SUBTREE_CONTROL: &CStr = c"/sys/fs/cgroup/cgroup.subtree_control";
const INIT: &CStr = c"/sys/fs/cgroup/init";
const INIT_PROCESSES: &CStr = c"/sys/fs/cgroup/init/cgroup.procs";

const SHARED: &str = "shared with the host (run with --cgroupns=private)";
const THREADED: &str = "threaded here";
const READ_ONLY: &str =
    "read-only here (run with --privileged, and with --userns=host if root is remapped)";
const FOREIGN: &str = "held for 10 s by processes of another PID namespace, which cannot be moved";
const BUSY: &str = "entered by new processes for 10 s, faster than they can be moved";

/// How long emptying the cgroup may take while `docker exec` adds processes, in milliseconds. On a busy host such a process
/// can need seconds to enter the PID namespace.
const LIMIT: u64 = 10_000;
/// Between two rounds, in milliseconds: the kernel does not report when a process leaves.
const PAUSE: u64 = 1;

pub(super) fn nest(launch: &Launch<'_>) -> Outcome<()> {
    if let Some(why) = obstacle() {
        return give_up(launch, why);
    }
    fs::make_directory(CWD, INIT, Mode::from_raw_mode(0o755)).at(launch, Step::Cgroup, INIT)?;
    let mut deadline = None;
    loop {
        let foreign = evacuate().at(launch, Step::Cgroup, PROCESSES)?;
        let mut buffer = [0; 1024];
        let controllers =
            fs::read_small(CONTROLLERS, &mut buffer).at(launch, Step::Cgroup, CONTROLLERS)?;
        match enable(&mut words(controllers)) {
            Ok(()) => return Ok(()),
            // A process has entered meanwhile.
            Err(Errno::BUSY) => {}
            Err(_) => match enable_each(launch, controllers) {
                Err(Errno::BUSY) => {}
                _ => return Ok(()),
            },
        }
        let now = sys::since_boot();
        if now > *deadline.get_or_insert(now + LIMIT) {
            return give_up(launch, if foreign { FOREIGN } else { BUSY });
        }
        let _ = children::readable(&mut [], now + PAUSE);
    }
}

fn give_up(launch: &Launch<'_>, why: &str) -> Outcome<()> {
    let why = why.as_bytes();
    launch.log.warning("cgroup v2 is {}; its processes stay where they are, and inner containers may get no limits", &[why]);
    Ok(())
}

/// Why this container must not change the cgroup.
fn obstacle() -> Option<&'static str> {
    let mut buffer = [0; 64];
    match fs::read_small(TYPE, &mut buffer) {
        // Only the root of the hierarchy lacks the file.
        Err(Errno::NOENT | Errno::NOTDIR) => Some(SHARED),
        Err(errno) => Some(reason(errno)),
        Ok(kind) => match is_root_of_namespace() {
            Err(errno) => Some(reason(errno)),
            Ok(false) => Some(SHARED),
            Ok(true) if kind != b"domain\n" => Some(THREADED),
            Ok(true) => match access(ROOT, Access::WRITE_OK) {
                Ok(()) => None,
                Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => Some(READ_ONLY),
                Err(errno) => Some(reason(errno)),
            },
        },
    }
}

/// The kernel shows the cgroup's path from the root of the cgroup namespace. If the namespace is an outer container's, the
/// path is longer. /init is the result of an earlier launch.
fn is_root_of_namespace() -> Result<bool> {
    let mut is_root = false;
    fs::lines(c"/proc/self/cgroup", &mut |line| {
        is_root |= matches!(line, b"0::/" | b"0::/init");
    })?;
    Ok(is_root)
}

/// Moves every process; returns whether some have no PID in this namespace. A failed move is ignored: the process has
/// ended, or the next round tries again.
fn evacuate() -> Result<bool> {
    let mut foreign = false;
    fs::lines(PROCESSES, &mut |pid| match pid {
        b"0" => foreign = true,
        pid => _ = fs::write_word(INIT_PROCESSES, pid),
    })?;
    Ok(foreign)
}

/// Enables all of these controllers in one write.
fn enable(controllers: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
    let mut switches = Text::<1024>::new();
    for controller in controllers {
        for part in [b"+", controller, b" "] {
            switches.push(part).map_err(|_| Errno::TOOBIG)?;
        }
    }
    fs::write_word(SUBTREE_CONTROL, switches.as_bytes())
}

/// Enables them one by one. One write enables all or none, and one refused controller (cpu, while a real-time process runs)
/// must not disable the others. `BUSY`: a process has entered meanwhile.
fn enable_each(launch: &Launch<'_>, controllers: &[u8]) -> Result<()> {
    let mut line: Vec<&[u8], { 4 * super::MOST + 1 }> = Vec::new();
    let _ = line.push(b"the kernel does not enable all cgroup v2 controllers, so inner containers have no limits of:");
    for controller in words(controllers) {
        match enable(&mut core::iter::once(controller)) {
            Ok(()) => {}
            Err(Errno::BUSY) => return Err(Errno::BUSY),
            Err(errno) => {
                let why = reason(errno).as_bytes();
                let separator: &[u8] = if line.len() > 1 { b"; " } else { b" " };
                // The capacity is enough for all controllers.
                let _ = line.extend_from_slice(&[separator, controller, b", ", why]);
            }
        }
    }
    if line.len() > 1 {
        launch.log.warning("", &line);
    }
    Ok(())
}
