//! A container's part of cgroup v2: its processes move to /init, so that the controllers can be handed to the cgroups of
//! inner containers beside it. The kernel hands on nothing while there are processes in the cgroup itself.
//!
//! Only what is this container's own is touched. Where the cgroup is another's too, threaded or read-only, nothing moves, one
//! sentence says so, and the launch goes on: inner containers run there, but without limits.

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
const HANDED_ON: &CStr = c"/sys/fs/cgroup/cgroup.subtree_control";
const INIT: &CStr = c"/sys/fs/cgroup/init";
const INIT_PROCESSES: &CStr = c"/sys/fs/cgroup/init/cgroup.procs";

const SHARED: &str = "shared with the host (run with --cgroupns=private)";
const THREADED: &str = "threaded here";
const READ_ONLY: &str =
    "read-only here (run with --privileged, and with --userns=host if root is remapped)";
const FOREIGN: &str = "held for 10 s by processes of another PID namespace, which cannot be moved";
const RUSHED: &str = "entered for 10 s by new processes faster than they can be moved";

/// How long `docker exec` may bring in processes while the cgroup is being emptied, in milliseconds. On a busy host one that
/// has not entered the PID namespace yet can need seconds for it.
const LIMIT: u64 = 10_000;
/// Between two rounds, in milliseconds: the kernel does not tell when a process leaves.
const PAUSE: u64 = 1;

pub(super) fn nest(launch: &Launch<'_>) -> Outcome<()> {
    if let Some(why) = obstacle() {
        return give_up(launch, why);
    }
    fs::make_directory(CWD, INIT, Mode::from_raw_mode(0o755)).at(launch, Step::Cgroup, INIT)?;
    let deadline = sys::since_boot() + LIMIT;
    loop {
        let foreign = evacuate().at(launch, Step::Cgroup, PROCESSES)?;
        let mut buffer = [0; 1024];
        let controllers =
            fs::read_small(CONTROLLERS, &mut buffer).at(launch, Step::Cgroup, CONTROLLERS)?;
        match hand_on(&mut words(controllers)) {
            Ok(()) => return Ok(()),
            // Somebody came in between.
            Err(Errno::BUSY) => {}
            Err(_) => return hand_on_each(launch, controllers),
        }
        if sys::since_boot() > deadline {
            return give_up(launch, if foreign { FOREIGN } else { RUSHED });
        }
        let _ = children::readable(&mut [], sys::since_boot() + PAUSE);
    }
}

fn give_up(launch: &Launch<'_>, why: &str) -> Outcome<()> {
    let lost = b"; its processes stay where they are, and inner containers may get no limits";
    let why = why.as_bytes();
    launch.log.warning(&[b"cgroup v2 is ", why, lost]);
    Ok(())
}

/// Why the cgroup is not ours to change.
fn obstacle() -> Option<&'static str> {
    let mut buffer = [0; 64];
    match fs::read_small(TYPE, &mut buffer) {
        // Only a hierarchy's own root lacks the file.
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

/// The kernel names a process's cgroup from the root of its cgroup namespace on. In a namespace that is an outer container's
/// this one's cgroup lies deeper; an earlier launch has moved it to /init.
fn is_root_of_namespace() -> Result<bool> {
    let mut is_root = false;
    fs::lines(c"/proc/self/cgroup", &mut |line| {
        is_root |= matches!(line, b"0::/" | b"0::/init");
    })?;
    Ok(is_root)
}

/// Moves every process; whether some cannot be named here. One that has ended meanwhile, or that the kernel does not let go now,
/// is met again in the next round if it matters.
fn evacuate() -> Result<bool> {
    let mut foreign = false;
    fs::lines(PROCESSES, &mut |pid| match pid {
        b"0" => foreign = true,
        pid => _ = fs::write_word(INIT_PROCESSES, pid),
    })?;
    Ok(foreign)
}

/// All of these controllers at once.
fn hand_on(controllers: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
    let mut switches = Text::<1024>::new();
    for controller in controllers {
        for part in [b"+", controller, b" "] {
            switches.push(part).map_err(|_| Errno::TOOBIG)?;
        }
    }
    fs::write_word(HANDED_ON, switches.as_bytes())
}

/// The kernel takes all or none: one that it refuses (cpu, while a real-time process runs) shall not cost the others.
fn hand_on_each(launch: &Launch<'_>, controllers: &[u8]) -> Outcome<()> {
    let mut line: Vec<&[u8], { 2 * super::MOST + 1 }> = Vec::new();
    let _ = line.push(b"the kernel does not hand on all controllers of cgroup v2, so inner containers have no limits of:");
    for controller in words(controllers) {
        if hand_on(&mut core::iter::once(controller)).is_err() {
            // There is room for all that a kernel has.
            let _ = line.extend_from_slice(&[b" ", controller]);
        }
    }
    if line.len() > 1 {
        launch.log.warning(&line);
    }
    Ok(())
}
