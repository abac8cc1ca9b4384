//! A mount that becomes `/`: it is made on a directory aside and moved over `/`. An initramfs does so with itself, or with
//! the root that `root=` names.

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

/// It lies on the old root, and after the move under the new one.
pub(crate) const ASIDE: &CStr = c"/.dockerlaunch.root";

/// Makes the directory, where none was left.
pub(crate) fn make(launch: &Launch<'_>) -> Outcome<()> {
    fs::make_directory(CWD, ASIDE, Mode::from_raw_mode(0o700)).at(launch, Step::Root, ASIDE)
}

/// What is mounted there becomes `/`.
pub(crate) fn enter(launch: &Launch<'_>) -> Outcome<()> {
    chdir(ASIDE).at(launch, Step::Root, ASIDE)?;
    mount_move(c".", c"/").at(launch, Step::Root, c"/")?;
    chroot(c".").at(launch, Step::Root, c".")?;
    chdir(c"/").at(launch, Step::Root, c"/")
}
