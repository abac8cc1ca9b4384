//! The machine's PID 1, or a container: it decides what may be made and what is only found.
//!
//! PID 1 of the first PID namespace is the machine's, whatever the image says of itself: one made by `docker export` holds
//! Docker's marker file. PID 1 of another namespace is a container's (a Kubernetes pod has no marker), and so is any
//! process where a container engine's marker stands (`docker run --init`). Anything else is refused, and nothing is touched.

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

/// Files that Docker and podman put into every container.
const MARKERS: &[&CStr] = &[c"/.dockerenv", c"/run/.containerenv"];

const PROC: &CStr = c"/proc";

const NEITHER: &str = "it is not PID 1, and nothing marks a container (/.dockerenv, /run/.containerenv, the variable container); \
    boot a kernel with init=/usr/bin/dockerlaunch, or docker run --privileged an image with it as the entry point; \
    in a container without a marker set DOCKER_LAUNCH_AS=container";
/// A pod whose containers share one has no marker file.
const SHARED: &str = "it is not PID 1, and nothing marks a container (/.dockerenv, /run/.containerenv, the variable container), \
    but its PID namespace is not the machine's: in a pod whose containers share one set DOCKER_LAUNCH_AS=container";

/// Finds the role, and mounts /proc if PID 1 has none yet: all that follows asks the kernel there.
///
/// # Errors
/// [`Step::Role`] when it is neither; [`Step::Mount`] when /proc cannot be mounted.
pub fn find_role(settings: &Settings<'_>) -> Result<Role> {
    let first = getpid().is_init();
    let role = match settings.role {
        Some(Role::Machine) if !first => {
            let reason = "only PID 1 can be the machine's; say container";
            return Err(Error::with_reason(
                Step::Role,
                b"DOCKER_LAUNCH_AS=machine",
                reason,
            ));
        }
        None if !first && !is_marked(settings) => {
            return Err(neither());
        }
        None if !first => Some(Role::Container),
        chosen => chosen,
    };
    mount_proc().map_err(|errno| Error::new(Step::Mount, PROC.to_bytes(), errno))?;
    Ok(role.unwrap_or_else(|| {
        if in_first_namespace() {
            Role::Machine
        } else {
            Role::Container
        }
    }))
}

/// With what was found: where /proc is not mounted, the namespace is not known.
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
    let stands = |marker: &&CStr| {
        let there = fs::exists(CWD, marker).or_warn(settings.as_log(), Step::Role, marker);
        there == Some(true)
    };
    settings.in_container || MARKERS.iter().any(stands)
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
