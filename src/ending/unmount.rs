//! Unmounts everything, from the last mount to the first; busy mounts are detached.
//!
//! Each pass reads mountinfo once. It writes the mount points to a file in memory, and reads them back from its end: so the
//! buffer and the time for each mount do not grow with the number of mounts.

use crate::{
    error::{Error, Step},
    fs,
    kernel::mountinfo::{is_within, unescaped},
    log::Log,
    text::{Decimal, Text},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fd::OwnedFd,
    fs::{MemfdFlags, memfd_create},
    io::{Errno, Result, pread, pwrite, retry_on_intr},
    mount::{UnmountFlags, unmount},
};

const MOUNTINFO: &CStr = c"/proc/self/mountinfo";
/// Needed to the very end, with everything below; none of it is on a disk.
const KEPT: &[&[u8]] = &[b"/proc", b"/sys", b"/dev"];
/// A record: a path, and behind it its length in bytes.
const PATH: usize = 4096;
const LENGTH: usize = 2;
/// The kernel escapes a byte of a path to at most four.
const ESCAPED: usize = 4 * PATH;
/// The maximum number of passes: more than the depth to which anybody stacks mounts.
const PASSES: usize = 32;

/// Runs passes as long as they unmount something: a mount may be busy until another one is gone, and new ones appear. The
/// rest is detached.
pub(crate) fn unmount_all(log: Log) {
    let mut all = 0;
    let mut left = 0;
    for _ in 0..PASSES {
        let pass = match pass(UnmountFlags::empty(), &mut |_, _| {}) {
            Ok(pass) => pass,
            Err(errno) => {
                warn(log, b"all", errno);
                detach_all(log);
                return;
            }
        };
        all += pass.done;
        left = pass.left;
        if pass.done == 0 {
            break;
        }
    }
    log.line("unmounted: {}", &[Decimal::new(all).as_bytes()]);
    if left == 0 {
        return;
    }
    let mut last = UnmountFlags::DETACH;
    last.insert(UnmountFlags::NOFOLLOW);
    let outcome = pass(last, &mut |place, outcome| match outcome {
        Ok(()) => log.warning("{} is in use; it is detached", &[place]),
        Err(errno) => warn(log, place, errno),
    });
    if let Err(errno) = outcome {
        warn(log, b"all", errno);
    }
}

struct Pass {
    done: u64,
    left: u64,
}

/// Unmounts every mount once, from the last to the first; calls `each` with the results.
fn pass(flags: UnmountFlags, each: &mut dyn FnMut(&[u8], Result<()>)) -> Result<Pass> {
    let mut list = List::read()?;
    let mut pass = Pass { done: 0, left: 0 };
    let mut place = Text::new();
    while list.pop(&mut place)? {
        let outcome = unmount(place.as_c_str(), flags | UnmountFlags::NOFOLLOW);
        match outcome {
            Ok(()) => pass.done += 1,
            // It was unmounted with another one, or is hidden by a mount above it.
            Err(Errno::INVAL | Errno::NOENT) => continue,
            Err(_) => pass.left += 1,
        }
        each(place.as_bytes(), outcome);
    }
    Ok(pass)
}

/// If the list cannot be made: detaches from the first to the last, each with everything below it.
fn detach_all(log: Log) {
    let outcome = each_point(&mut |point| {
        if let Some(place) = unescaped(point) {
            let _ = unmount(
                place.as_c_str(),
                UnmountFlags::DETACH | UnmountFlags::NOFOLLOW,
            );
        }
        Ok(())
    });
    match outcome {
        Ok(()) => log.warning("everything is detached", &[]),
        Err(errno) => warn(log, MOUNTINFO.to_bytes(), errno),
    }
}

/// Logs a failure.
#[inline(never)]
pub(crate) fn warn(log: Log, subject: &[u8], errno: Errno) {
    Error::new(Step::Unmount, subject, errno).format(&mut |parts| log.warning("", parts));
}

/// The mount points, in the kernel's order.
struct List {
    file: OwnedFd,
    end: usize,
}

impl List {
    fn read() -> Result<Self> {
        let file = memfd_create(c"mounts", MemfdFlags::CLOEXEC)?;
        let mut list = Self { file, end: 0 };
        each_point(&mut |point| match unescaped(point) {
            Some(place) => list.push(place.as_bytes()),
            // No system call accepts such a path.
            None => Ok(()),
        })?;
        Ok(list)
    }

    fn push(&mut self, place: &[u8]) -> Result<()> {
        let length = u16::try_from(place.len()).map_err(|_| Errno::NAMETOOLONG)?;
        let mut record: Vec<u8, { PATH + LENGTH }> = Vec::new();
        let _ = record.extend_from_slice(place);
        let _ = record.extend_from_slice(&length.to_ne_bytes());
        let written = retry_on_intr(|| pwrite(&self.file, &record, self.end as u64))?;
        self.end += written;
        (written == record.len()).then_some(()).ok_or(Errno::NOSPC)
    }

    /// Takes the last place off the list; `false` if the list is empty.
    fn pop(&mut self, place: &mut Text<PATH>) -> Result<bool> {
        let mut buffer = [0; PATH + LENGTH];
        let start = self.end.saturating_sub(buffer.len());
        let window = buffer.get_mut(..self.end - start).unwrap_or_default();
        let length = retry_on_intr(|| pread(&self.file, &mut *window, start as u64))?;
        let Some((before, number)) = window
            .get(..length)
            .and_then(<[u8]>::split_last_chunk::<LENGTH>)
        else {
            return Ok(false);
        };
        let length = usize::from(u16::from_ne_bytes(*number));
        let last = before.get(before.len().saturating_sub(length)..);
        self.end = self.end.saturating_sub(length + LENGTH);
        let taken = place.set(&[last.unwrap_or_default()]);
        taken.map_err(|_| Errno::NAMETOOLONG)?;
        Ok(true)
    }
}

/// Calls `each` with every mount point to unmount, as mountinfo escapes it: the fifth field of a line. Other fields may be
/// longer than any buffer.
fn each_point(each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut point: Vec<u8, ESCAPED> = Vec::new();
    let (mut field, mut outcome) = (0, Ok(()));
    fs::bytes(MOUNTINFO, &mut |byte| match byte {
        b'\n' => {
            field = 0;
            point.clear();
        }
        b' ' => {
            field += 1;
            if field == 5 && outcome.is_ok() && !is_kept(&point) {
                outcome = each(&point);
            }
        }
        byte if field == 4 => _ = point.push(byte),
        _ => {}
    })?;
    outcome
}

fn is_kept(point: &[u8]) -> bool {
    [&b"/"[..], b"/run"].contains(&point) || KEPT.iter().any(|place| is_within(point, place))
}
