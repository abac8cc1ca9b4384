//! Files that a step writes. Docker starts without any of them: a failure is a warning that names the file and, if the file
//! system is full, its mount point.

use crate::{
    error::Step,
    fs::{
        self, Batch, Existing, PATH, Pass, Put, Replace,
        copy::{Copy, Event},
    },
    launch::Launch,
    settings::Role,
    text::{Decimal, Text},
};
use core::ffi::CStr;
use rustix::{
    fd::BorrowedFd,
    fs::{CWD, StatFs},
    io::{Errno, Result},
};

/// Failures that are logged one by one; the rest are only counted.
const MOST: u32 = 8;

/// The files that one step writes in a directory.
pub(crate) struct Files<'f, 'l> {
    launch: &'f Launch<'l>,
    step: Step,
    batch: Batch,
    refused: u32,
}

impl<'f, 'l> Files<'f, 'l> {
    pub(crate) fn new(launch: &'f Launch<'l>, step: Step) -> Self {
        Self {
            launch,
            step,
            batch: Batch::new(launch.role == Role::Machine),
            refused: 0,
        }
    }

    /// Calls `each` to write in a directory, and a second time to rename the files once all of them are durable.
    pub(crate) fn write(
        mut self,
        directory: BorrowedFd<'_>,
        path: &[u8],
        each: &mut dyn FnMut(&mut Self, Pass),
    ) {
        each(&mut self, Pass::Write);
        let left = self.batch.leave(directory, false);
        self.judge(path, left);
        if self.batch.is_waiting() {
            let written = Batch::sync(directory);
            let pass = written.map_or(Pass::Discard, |()| Pass::Rename);
            self.judge(path, written);
            each(&mut self, pass);
            self.judge(path, Batch::sync(directory));
        }
        if let Some(more @ 1..) = self.refused.checked_sub(MOST) {
            let more = Decimal::new(more.into());
            self.launch.log.warning(
                "{} {}: {} more could not be made",
                &[self.step.name().as_bytes(), path, more.as_bytes()],
            );
        }
    }

    /// Writes one of our files if it is missing or empty. Returns what became of it, and whether it was empty.
    pub(crate) fn put(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        is_missing: bool,
        fill: &mut dyn FnMut(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<(Put, bool)> {
        let existing = if is_missing {
            Existing::Nothing
        } else {
            Batch::existing(parent, name)?
        };
        if existing == Existing::Something {
            return Ok((Put::Named, false));
        }
        let put = self.batch.put(parent, name, Replace::Empty, fill)?;
        Ok((put, existing == Existing::Empty && put != Put::Second))
    }

    /// Copies what the directory `to` lacks; `path` is its path.
    pub(crate) fn copy(
        &mut self,
        copy: Copy,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        path: &CStr,
        pass: Pass,
    ) -> Result<()> {
        let (launch, step) = (self.launch, self.step);
        let refused = &mut self.refused;
        let mut report = |path: &[u8], event: Event| {
            log_event(launch, step, refused, path, event);
            Ok(())
        };
        copy.missing(from, to, path, (&mut self.batch, pass), &mut report)
    }

    /// Logs what happened to a path.
    pub(crate) fn report(&mut self, path: &[u8], event: Event) {
        log_event(self.launch, self.step, &mut self.refused, path, event);
    }

    fn judge(&mut self, path: &[u8], outcome: Result<()>) {
        if let Err(errno) = outcome {
            self.report(path, Event::Refused(errno));
        }
    }
}

fn log_event(launch: &Launch<'_>, step: Step, refused: &mut u32, path: &[u8], event: Event) {
    let errno = match event {
        Event::Again => {
            return launch.log.warning(
                "{} was empty, as after a power cut: it is written again",
                &[path],
            );
        }
        Event::Disowned(errno) => {
            launch.warn_of(step, path, errno);
            return launch.log.warning(
                "{} lost its set-user-ID and set-group-ID bits: its owner could not be kept",
                &[path],
            );
        }
        Event::Refused(errno) => errno,
    };
    *refused += 1;
    if *refused <= MOST {
        launch.warn_of(step, path, errno);
    }
    if errno == Errno::NOSPC {
        let place = mount_point(path);
        // One line for all files on it, in all steps.
        let device = fs::stat(place.as_c_str()).map(|there| there.st_dev);
        if launch.full.replace(Some(device)) != Some(device) {
            warn_full(launch, path, &place);
        }
    }
}

/// Writes a file with these contents, over whatever is there.
#[cfg(feature = "network")]
pub(crate) fn replace(
    launch: &Launch<'_>,
    step: Step,
    (directory, path): (BorrowedFd<'_>, &CStr),
    name: &CStr,
    contents: &[u8],
) {
    if let Err(errno) = fs::replace(directory, name, contents) {
        let culprit = fs::blocking_name(directory, name).unwrap_or(Text::new());
        let path = fs::path(&[path.to_bytes(), b"/", culprit.as_bytes()]);
        Files::new(launch, step).report(path.as_bytes(), Event::Refused(errno));
    }
}

/// Warns if the file system of a directory is full.
pub(crate) fn warn_if_full(launch: &Launch<'_>, there: &StatFs, path: &[u8]) {
    if there.f_blocks > 0 && there.f_bavail == 0 {
        warn_full(launch, path, &mount_point(path));
    }
}

fn warn_full(launch: &Launch<'_>, path: &[u8], place: &Text<PATH>) {
    launch.log.warning(
        "{} is on a full file system; make room on the one mounted at {}",
        &[path, place.as_bytes()],
    );
}

/// The mount point of the file system that the path is on, or would be.
fn mount_point(path: &[u8]) -> Text<PATH> {
    let mut place = fs::path(&[path]);
    let mut links = true;
    while let Some(slash) = place.as_bytes().iter().rposition(|byte| *byte == b'/') {
        if links && let Ok(real) = fs::real_path(place.as_c_str()) {
            (place, links) = (real, false);
            continue;
        }
        if fs::is_mount(CWD, place.as_c_str()) == Ok(true) {
            return place;
        }
        place.cut(slash);
    }
    fs::path(&[b"/"])
}
