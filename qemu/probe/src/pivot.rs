//! Whether pivot_root(2) works here, which runc needs to start a container. It is tried with runc's calls, in a thread with a mount
//! namespace of its own (unshare(2) also gives a thread its own root), so that nothing of it remains.

use std::thread;

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    unistd::{chdir, pivot_root},
};

/// Where the new root is made: a directory that every system has.
const PLACE: &str = "/tmp";
const NONE: Option<&str> = None;

type Step = fn() -> nix::Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("unshare", || unshare(CloneFlags::CLONE_NEWNS)),
    ("rslave", || {
        mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
    }),
    ("tmpfs", || {
        mount(Some("tmpfs"), PLACE, Some("tmpfs"), MsFlags::empty(), NONE)
    }),
    ("chdir", || chdir(PLACE)),
    ("pivot_root", || pivot_root(".", ".")),
    ("umount", || umount2(".", MntFlags::MNT_DETACH)),
];

/// `works`, or the step that failed and its errno.
pub(crate) fn attempt() -> String {
    let walk = || {
        STEPS
            .iter()
            .find_map(|(name, step)| Some(format!("{name}: {}", step().err()?)))
    };
    match thread::spawn(walk).join() {
        Ok(None) => "works".into(),
        Ok(Some(failed)) => failed,
        Err(_) => "the attempt panicked".into(),
    }
}
