//! The end of the machine: swap off, everything unmounted in reverse, the root read-only, written out, reboot(2). A line a
//! step.
//!
//! A child does what can hang on a dead disk, with a limit: the machine ends in any case. Swap, the root and reboot(2) are
//! touched only in the first PID namespace; elsewhere they are another's, and PID 1 just ends.

use crate::{
    error::reason,
    fs,
    log::Log,
    mountinfo::{Mount, unescaped},
    mounts::drain_console,
    role::in_first_namespace,
    run,
    settings::Settings,
    sys,
    text::{Decimal, Text, fields},
};
use core::ffi::CStr;
use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount_remount, unmount},
    system::{RebootCommand, reboot},
};

/// How long writing everything out may take, in seconds: much memory onto a slow card included.
const LIMIT: u32 = 300;

/// What is needed to the very end, with what lies below; nothing of it is on a disk.
const KEPT: &[&[u8]] = &[b"/proc", b"/sys", b"/dev"];

/// Leaves the file systems clean.
pub(crate) fn clean_up(log: Log) {
    let first = in_first_namespace();
    let outcome = run::in_child(LIMIT, None, &mut || {
        if first {
            swap_off(log);
        }
        unmount_all(log);
        if first {
            write_out(log);
        }
        0
    });
    if let Err(Errno::TIMEDOUT) = outcome {
        log.warning(&[b"unmounting has not ended after 300 s; the disk may not be clean"]);
    }
}

/// reboot(2), which does not return; where this is not the machine's to end, it does.
pub(crate) fn end(settings: &Settings<'_>, command: RebootCommand, word: &str) {
    let log = settings.as_log();
    if !in_first_namespace() {
        log.line(&[
            word.as_bytes(),
            b": not the first PID namespace; PID 1 ends instead",
        ]);
        return;
    }
    log.line(&[word.as_bytes()]);
    drain_console(settings);
    if let Err(errno) = reboot(command) {
        log.warning(&[b"reboot(2) is refused: ", reason(errno).as_bytes()]);
    }
}

fn swap_off(log: Log) {
    let mut last = Text::<4096>::new();
    // The first line names the columns. One that goes makes the list shorter, so the last is taken, as often as there is one.
    for _ in 0..32 {
        let mut number = 0;
        last = Text::new();
        let _ = fs::lines(c"/proc/swaps", &mut |line| {
            if number > 0 {
                last = fields(line, b' ')
                    .next()
                    .and_then(unescaped)
                    .unwrap_or(last);
            }
            number += 1;
        });
        if last.as_bytes().is_empty() {
            return;
        }
        if sys::swap_off(last.as_c_str()).is_err() {
            break;
        }
        log.line(&[b"swap off: ", last.as_bytes()]);
    }
    log.warning(&[b"swap stays on: ", last.as_bytes()]);
}

/// Again as long as it helps: what is in use by another mount is free after that one. The rest is detached.
fn unmount_all(log: Log) {
    let mut all = 0;
    let still = loop {
        let (done, refused) = pass(UnmountFlags::empty(), &mut |_| {});
        all += done;
        if done == 0 || refused == 0 {
            break refused;
        }
    };
    log.line(&[b"unmounted: ", Decimal::new(all).as_bytes()]);
    if still > 0 {
        pass(UnmountFlags::DETACH, &mut |place| {
            log.warning(&[place.to_bytes(), b" is in use; it is detached"]);
        });
    }
}

/// Once through the mounts, from the last to the first; how many were unmounted, and how many could not be.
fn pass(flags: UnmountFlags, before: &mut dyn FnMut(&CStr)) -> (u64, u64) {
    let (mut done, mut refused) = (0, 0);
    let mut below = usize::MAX;
    loop {
        let (mut place, mut found) = (Text::<4096>::new(), None);
        let mut number = 0;
        let _ = fs::lines(c"/proc/self/mountinfo", &mut |line| {
            let mount = Mount::parse(line).filter(|mount| number < below && !is_kept(mount));
            if let Some(path) = mount.and_then(|mount| unescaped(mount.point)) {
                (place, found) = (path, Some(number));
            }
            number += 1;
        });
        let Some(number) = found else {
            return (done, refused);
        };
        below = number;
        before(place.as_c_str());
        match unmount(place.as_c_str(), flags | UnmountFlags::NOFOLLOW) {
            Ok(()) => done += 1,
            Err(_) => refused += 1,
        }
    }
}

fn is_kept(mount: &Mount<'_>) -> bool {
    [&b"/"[..], b"/run"].contains(&mount.point) || KEPT.iter().any(|place| mount.is_within(place))
}

fn write_out(log: Log) {
    match mount_remount(c"/", MountFlags::RDONLY, c"") {
        Ok(()) => log.line(&[b"/ is read-only"]),
        Err(errno) => {
            let why = reason(errno).as_bytes();
            log.warning(&[b"/ cannot be made read-only: ", why]);
        }
    }
    rustix::fs::sync();
    log.line(&[b"everything is written out"]);
}
