//! Turns a mount into `/`: it is mounted on a directory of its own and moved over `/`. An initramfs does this with itself,
//! or with the root that `root=` names.

use crate::{
    error::Step,
    fs,
    launch::{Context, Launch, Outcome},
};
use core::ffi::CStr;
use rustix::{
    fs::{CWD, Mode},
    mount::mount_move,
    process::{chdir, chroot},
};

/// A directory of the old root.
pub(crate) const ASIDE: &CStr = c"/.dockerlaunch.root";

/// Creates the directory, unless an earlier launch left it.
pub(crate) fn make(launch: &Launch<'_>) -> Outcome<()> {
    fs::make_directory(CWD, ASIDE, Mode::from_raw_mode(0o700)).at(launch, Step::Root, ASIDE)
}

/// Makes the mount on [`ASIDE`] `/`.
pub(crate) fn enter(launch: &Launch<'_>) -> Outcome<()> {
    chdir(ASIDE).at(launch, Step::Root, ASIDE)?;
    mount_move(c".", c"/").at(launch, Step::Root, c"/")?;
    chroot(c".").at(launch, Step::Root, c".")?;
    chdir(c"/").at(launch, Step::Root, c"/")
}
