//! The end of the machine: swap off, unmount everything in reverse order, remount the root read-only, sync, reboot(2). Each
//! step and each failure logs a line.
//!
//! Work that can hang on a dead disk runs in a child with a time limit, so that the machine ends in any case. If that child
//! is killed, another continues; if fork fails, PID 1 does the work itself. Swap, the root and reboot(2) are touched only
//! in the first PID namespace: elsewhere they belong to the host, and PID 1 just ends.

use crate::{
    ending::unmount::{unmount_all, warn},
    fs,
    kernel::{children, mountinfo::unescaped},
    launch::role::in_first_namespace,
    log::Log,
    settings::Settings,
    steps::mounts::drain_console,
    sys,
    text::{Decimal, Text, fields},
};
use core::ffi::CStr;
use rustix::{
    io::{Errno, Result},
    mount::{MountFlags, mount_remount},
    system::{RebootCommand, reboot},
};

/// How long the work of a child may take, in seconds: enough to write much memory to a slow card. Only tests shorten it.
const LIMIT: u32 = match u32::from_str_radix(env!("DOCKERLAUNCH_UNMOUNT_S"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("DOCKERLAUNCH_UNMOUNT_S is no number"),
};
/// How many children may do the work before only sync is left.
const CHILDREN: usize = 2;
/// The kernel's maximum of swap areas (MAX_SWAPFILES).
const SWAPS: usize = 32;
const SWAPS_FILE: &CStr = c"/proc/swaps";

/// Leaves the file systems clean.
pub(crate) fn clean_up(log: Log) {
    let first = in_first_namespace();
    let mut all = || {
        if first {
            swap_off(log);
        }
        unmount_all(log);
        if first {
            write_out(log);
        }
        0
    };
    for _ in 0..CHILDREN {
        if limited(log, b"unmounting", &mut all) {
            return;
        }
    }
    // At least sync what is still mounted.
    limited(log, b"sync", &mut || {
        rustix::fs::sync();
        0
    });
}

/// Runs `work` in a child with the limit, or in this process without it if fork fails. Returns `false` if another child
/// should continue.
fn limited(log: Log, name: &[u8], work: &mut dyn FnMut() -> u8) -> bool {
    let limit = Decimal::new(LIMIT.into());
    match children::in_child(LIMIT, None, work) {
        Ok(0) => {}
        Ok(status) => {
            let status = Decimal::new(status.into());
            log.warning(
                "{}: its process has ended with status {}",
                &[name, status.as_bytes()],
            );
            return false;
        }
        Err(Errno::TIMEDOUT) => log.warning(
            "{} has not ended after {} s; the disk may not be clean",
            &[name, limit.as_bytes()],
        ),
        Err(errno) => {
            warn(log, b"fork", errno);
            log.warning("{} is done by PID 1 itself, without a time limit", &[name]);
            work();
        }
    }
    true
}

/// reboot(2). Returns only if this PID 1 may not end the machine, or on failure.
pub(crate) fn end(settings: &Settings<'_>, command: RebootCommand, word: &str) {
    let log = settings.as_log();
    if !in_first_namespace() {
        log.line(
            "{}: not the first PID namespace; PID 1 ends instead",
            &[word.as_bytes()],
        );
        return;
    }
    log.line("{}", &[word.as_bytes()]);
    drain_console(settings);
    if let Err(errno) = reboot(command) {
        warn(log, b"reboot(2)", errno);
    }
}

/// Turns off swap areas from the last to the first. After a failure the others follow.
fn swap_off(log: Log) {
    let mut failed = 0;
    for _ in 0..SWAPS {
        let last = match last_swap(failed) {
            Ok(Some(last)) => last,
            // A kernel without swap lacks the file.
            Ok(None) | Err(Errno::NOENT) => return,
            Err(errno) => return warn(log, SWAPS_FILE.to_bytes(), errno),
        };
        match sys::swap_off(last.as_c_str()) {
            Ok(()) => log.line("swap off: {}", &[last.as_bytes()]),
            Err(errno) => {
                failed += 1;
                warn(log, last.as_bytes(), errno);
            }
        }
    }
}

/// The last swap area of /proc/swaps, after skipping `but` areas from the end. The first line is a heading.
fn last_swap(but: usize) -> Result<Option<Text<4096>>> {
    let mut lines = 0_usize;
    fs::lines(SWAPS_FILE, &mut |_| lines += 1)?;
    let (wanted, mut number, mut found) = (lines.saturating_sub(1 + but), 0, None);
    fs::lines(SWAPS_FILE, &mut |line| {
        if number == wanted && number > 0 {
            found = fields(line, b' ').next().and_then(unescaped);
        }
        number += 1;
    })?;
    Ok(found)
}

fn write_out(log: Log) {
    match mount_remount(c"/", MountFlags::RDONLY, c"") {
        Ok(()) => log.line("/ is read-only", &[]),
        Err(errno) => warn(log, b"/ (to make it read-only)", errno),
    }
    rustix::fs::sync();
    log.line("everything is written out", &[]);
}
