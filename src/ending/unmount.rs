//! Everything unmounted, from the last mount to the first; what is in use is detached.
//!
//! mountinfo is read once in a pass, however many mounts there are. The places are noted in a file in memory, and read back
//! from its end: so ten thousand mounts take no larger buffer and no more time for each than ten.

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
/// What is needed to the very end, with what lies below; nothing of it is on a disk.
const KEPT: &[&[u8]] = &[b"/proc", b"/sys", b"/dev"];
/// The longest path, and behind it its length.
const PATH: usize = 4096;
const LENGTH: usize = 2;
/// The kernel writes a byte of a path as four at most.
const ESCAPED: usize = 4 * PATH;
/// How often it helps to begin again, where one mount holds another: deeper than anybody stacks them.
const PASSES: usize = 32;

/// Again as long as it helps: what is in use by another mount is free after that one, and some come meanwhile. The rest is
/// detached.
pub(crate) fn unmount_all(log: Log) {
    let mut all = 0;
    let mut left = 0;
    for _ in 0..PASSES {
        let pass = match pass(UnmountFlags::empty(), &mut |_, _| {}) {
            Ok(pass) => pass,
            Err(errno) => {
                tell(log, b"all", errno);
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
    log.line(&[b"unmounted: ", Decimal::new(all).as_bytes()]);
    if left == 0 {
        return;
    }
    let mut last = UnmountFlags::DETACH;
    last.insert(UnmountFlags::NOFOLLOW);
    let outcome = pass(last, &mut |place, outcome| match outcome {
        Ok(()) => log.warning(&[place, b" is in use; it is detached"]),
        Err(errno) => tell(log, place, errno),
    });
    if let Err(errno) = outcome {
        tell(log, b"all", errno);
    }
}

struct Pass {
    done: u64,
    left: u64,
}

/// Once through the mounts, from the last to the first; `each` is told what becomes of a place.
fn pass(flags: UnmountFlags, each: &mut dyn FnMut(&[u8], Result<()>)) -> Result<Pass> {
    let mut list = List::read()?;
    let mut pass = Pass { done: 0, left: 0 };
    let mut place = Text::new();
    while list.pop(&mut place)? {
        let outcome = unmount(place.as_c_str(), flags | UnmountFlags::NOFOLLOW);
        match outcome {
            Ok(()) => pass.done += 1,
            // It went with another one, or comes to light when the one above it goes.
            Err(Errno::INVAL | Errno::NOENT) => continue,
            Err(_) => pass.left += 1,
        }
        each(place.as_bytes(), outcome);
    }
    Ok(pass)
}

/// Without a list: from the first to the last, each with all that lies below it.
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
        Ok(()) => log.warning(&[b"everything is detached"]),
        Err(errno) => tell(log, MOUNTINFO.to_bytes(), errno),
    }
}

/// What could not be done in the end.
#[inline(never)]
pub(crate) fn tell(log: Log, subject: &[u8], errno: Errno) {
    Error::new(Step::Unmount, subject, errno).format(&mut |parts| log.warning(parts));
}

/// The places where something is mounted, in the kernel's order.
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
            // No system call takes such a path.
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

    /// Takes the last that has not been taken yet; `false` where all have been.
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

/// Calls `each` with the place of every mount that is not kept, as mountinfo writes it: the fifth field of its lines, of
/// which any other may be longer than any buffer.
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
