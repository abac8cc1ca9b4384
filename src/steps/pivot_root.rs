//! Makes `/` what Docker needs: a mount that pivot_root(2) can replace, with shared propagation.
//!
//! On an initramfs `/` is the bottom of the mount tree, so pivot_root fails, and runc with it. The step binds `/` on a
//! directory and moves that mount over `/`: then `/` has a mount below it, and nothing is copied. mountinfo shows which
//! mount is the bottom; the step `mounts` has read it. Only if `/` is the bottom, or mountinfo does not show `/`, does a child try pivot_root.

use crate::{
    docker::command::Command,
    error::Step,
    kernel::children,
    launch::{Context, Launch, Outcome},
    steps::become_root::{self, ASIDE},
    sys,
};
use core::ffi::CStr;
use rustix::{
    fs::rmdir,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
        unmount,
    },
    process::{chdir, pivot_root},
};

/// How long the child that tries pivot_root may take, in seconds.
const PROBE: u32 = 10;

/// Makes pivot_root work, then makes `/` shared recursively: the kernel refuses to move a mount whose parent is shared.
pub(crate) fn prepare(
    launch: &Launch<'_>,
    command: &mut Command<'_>,
    may_be_bottom: bool,
) -> Outcome<()> {
    if may_be_bottom && !pivots(launch)? {
        launch.log.debug(
            "/ is the bottom of the mount tree (an initramfs): moving it onto itself",
            &[],
        );
        rebind(launch)?;
        if !pivots(launch)? {
            launch.log.warning("pivot_root fails on this root: DOCKER_RAMDISK=true is set, and containers run less isolated", &[]);
            command.add_variable(c"DOCKER_RAMDISK=true");
        }
    }
    mount_change(
        c"/",
        MountPropagationFlags::SHARED | MountPropagationFlags::REC,
    )
    .at(launch, Step::Root, c"/")?;
    launch.log.debug("/ is shared", &[]);
    Ok(())
}

fn rebind(launch: &Launch<'_>) -> Outcome<()> {
    become_root::make(launch)?;
    mount_bind_recursive(c"/", ASIDE).at(launch, Step::Root, ASIDE)?;
    become_root::enter(launch)?;
    // It may stay: the directory is empty and unused.
    let _ = rmdir(ASIDE);
    Ok(())
}

/// Tries what runc will do, in a child with its own mount namespace.
fn pivots(launch: &Launch<'_>) -> Outcome<bool> {
    let outcome = children::in_child(PROBE, None, &mut || u8::from(try_pivot().is_err()));
    outcome
        .map(|status| status == 0)
        .map_err(|errno| launch.refused(Step::Root, b"a child that tries pivot_root", errno))
}

fn try_pivot() -> rustix::io::Result<()> {
    const PLACE: &CStr = c"/proc";
    sys::own_mounts()?;
    mount_change(
        c"/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    mount(c"tmpfs", PLACE, c"tmpfs", MountFlags::empty(), None)?;
    chdir(PLACE)?;
    pivot_root(c".", c".")?;
    unmount(c".", UnmountFlags::DETACH)
}
