//! Decides whether this is the machine or a container: the machine is set up, a container is mostly used as it is.
//!
//! PID 1 of the first PID namespace is the machine's, even if there is a marker file: an image made by `docker export` contains
//! Docker's. PID 1 of another PID namespace is a container's (a Kubernetes pod has no marker file). So is any process where a
//! container engine's marker exists (`docker run --init`). Anything else is refused before anything is changed.

use crate::{
    error::{Error, Result, Step},
    fs::{self, Lookup},
    settings::{Role, Settings},
    sys::namespaces,
    text::{Decimal, Text},
};
use core::ffi::CStr;
use rustix::{
    fs::{CWD, Mode, mkdir},
    io::{self, Errno},
    mount::{MountFlags, mount},
    process::getpid,
};

/// Marker files: Docker and podman put them into every container.
const MARKERS: &[&CStr] = &[c"/.dockerenv", c"/run/.containerenv"];

const PROC: &CStr = c"/proc";

const NEITHER: &str = "it is not PID 1, and nothing marks a container (/.dockerenv, /run/.containerenv, the variable container); \
    boot a kernel with init=/usr/bin/dockerlaunch, or docker run --privileged an image with it as the entry point; \
    in a container without a marker set DOCKER_LAUNCH_AS=container";
/// A pod whose containers share a PID namespace has no marker file.
const SHARED: &str = "it is not PID 1, and nothing marks a container (/.dockerenv, /run/.containerenv, the variable container), \
    but its PID namespace is not the machine's: in a pod whose containers share one, set DOCKER_LAUNCH_AS=container";

/// Finds the role, and whether this is the PID 1 that the kernel started. Mounts /proc if PID 1 has none yet: all that follows
/// needs it.
///
/// # Errors
/// [`Step::Role`] when it is neither; [`Step::Mount`] when /proc cannot be mounted.
pub(crate) fn find_role(settings: &Settings<'_>) -> Result<(Role, bool)> {
    let is_pid_1 = getpid().is_init();
    let role = match settings.role {
        Some(Role::Machine) if !is_pid_1 => {
            let reason = "only PID 1 can be the machine's; use container";
            return Err(Error::with_reason(
                Step::Role,
                b"DOCKER_LAUNCH_AS=machine",
                reason,
            ));
        }
        None if !is_pid_1 && !is_marked(settings) => {
            return Err(neither());
        }
        None if !is_pid_1 => Some(Role::Container),
        chosen => chosen,
    };
    let mut is_first = namespaces::PID.is_first();
    if is_first.is_none() {
        mount_proc().map_err(|errno| Error::new(Step::Mount, PROC.to_bytes(), errno))?;
        is_first = namespaces::PID.is_first();
    }
    let is_first = is_first == Some(true);
    let found = if is_first {
        Role::Machine
    } else {
        Role::Container
    };
    let role = role.unwrap_or(found);
    Ok((role, is_first && role == Role::Machine))
}

/// The error, as specific as possible: without /proc the namespace is unknown.
#[cold]
fn neither() -> Error {
    let pid = Decimal::new(getpid().as_raw_nonzero().get().unsigned_abs().into());
    let subject = Text::<32>::fitting(&[b"PID ", pid.as_bytes()]);
    let reason = match namespaces::PID.is_first() {
        Some(false) => SHARED,
        _ => NEITHER,
    };
    Error::with_reason(Step::Role, subject.as_bytes(), reason)
}

fn is_marked(settings: &Settings<'_>) -> bool {
    let exists = |marker: &&CStr| {
        let found = fs::exists(CWD, marker).or_warn(settings.as_log(), Step::Role, marker);
        found == Some(true)
    };
    settings.in_container || MARKERS.iter().any(exists)
}

/// Whether this process is in the PID namespace that the kernel started with.
pub(crate) fn in_first_namespace() -> bool {
    namespaces::PID.is_first() == Some(true)
}

fn mount_proc() -> io::Result<()> {
    if fs::exists(CWD, c"/proc/self")? {
        return Ok(());
    }
    match mkdir(PROC, Mode::from_raw_mode(0o555)) {
        Err(Errno::EXIST) => {}
        made => made?,
    }
    mount(
        c"proc",
        PROC,
        c"proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None,
    )
}
