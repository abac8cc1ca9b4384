//! The early mounts, with the flags that systemd's mount-setup.c has, and the console.
//!
//! A row is skipped if something is mounted already, there or below: the outer engine of a container or an operator did it.
//! /proc is not a row, because role.rs needs it earlier.

use crate::{
    error::{Error, Step},
    fs,
    kernel::{children, mounted, mountinfo::Mount},
    launch::{Context, Launch, Outcome},
    settings::{Role, Settings},
    sys,
    text::{trim, words},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, mkdir, open},
    io::{self, Errno, fcntl_dupfd_cloexec, fcntl_getfd},
    mount::{MountFlags, mount},
    process::getpid,
    termios::tcdrain,
};

#[derive(Clone, Copy, PartialEq)]
enum Need {
    /// Docker needs it.
    Required,
    /// Mounted only on the machine, and only if /proc/filesystems lists it. A failure is a warning that names what is lost.
    Optional,
}
use Need::{Optional, Required};

struct Row {
    at: &'static CStr,
    kind: &'static CStr,
    flags: MountFlags,
    data: &'static CStr,
    need: Need,
    /// What Docker cannot do without an optional one.
    lost: &'static str,
}

const PLAIN: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NODEV);
const SHARED_MEMORY: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
const STRICT: MountFlags = MountFlags::NOSUID.union(MountFlags::STRICTATIME);

const RUN: &CStr = c"/run";

/// /dev comes first, for the console.
const TABLE: &[Row] = &[
    Row {
        at: c"/dev",
        kind: c"devtmpfs",
        flags: STRICT,
        data: c"mode=755",
        need: Required,
        lost: "",
    },
    Row {
        at: c"/sys",
        kind: c"sysfs",
        flags: PLAIN,
        data: c"",
        need: Required,
        lost: "",
    },
    Row {
        at: c"/dev/pts",
        kind: c"devpts",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: c"gid=5,mode=620,ptmxmode=666",
        need: Required,
        lost: "",
    },
    Row {
        at: c"/dev/shm",
        kind: c"tmpfs",
        flags: SHARED_MEMORY.union(MountFlags::STRICTATIME),
        data: c"mode=1777",
        need: Required,
        lost: "",
    },
    Row {
        at: c"/dev/mqueue",
        kind: c"mqueue",
        flags: PLAIN,
        data: c"",
        need: Required,
        lost: "",
    },
    Row {
        at: RUN,
        kind: c"tmpfs",
        flags: SHARED_MEMORY.union(MountFlags::STRICTATIME),
        data: c"mode=755",
        need: Required,
        lost: "",
    },
    Row {
        at: c"/sys/kernel/security",
        kind: c"securityfs",
        flags: PLAIN,
        data: c"",
        need: Optional,
        lost: "AppArmor profiles of containers",
    },
    Row {
        at: c"/sys/fs/bpf",
        kind: c"bpf",
        flags: PLAIN,
        data: c"mode=700",
        need: Optional,
        lost: "BPF objects that outlive their program",
    },
    Row {
        at: c"/dev/hugepages",
        kind: c"hugetlbfs",
        flags: SHARED_MEMORY,
        data: c"",
        need: Optional,
        lost: "huge pages in containers",
    },
    Row {
        at: c"/proc/sys/fs/binfmt_misc",
        kind: c"binfmt_misc",
        flags: PLAIN,
        data: c"",
        need: Optional,
        lost: "images of other architectures",
    },
];

/// Links that programs expect in /dev.
const LINKS: &[(&CStr, &CStr)] = &[
    (c"/dev/fd", c"/proc/self/fd"),
    (c"/dev/stdin", c"/proc/self/fd/0"),
    (c"/dev/stdout", c"/proc/self/fd/1"),
    (c"/dev/stderr", c"/proc/self/fd/2"),
    (c"/dev/core", c"/proc/kcore"),
    (c"/dev/ptmx", c"pts/ptmx"),
];

/// What the step knows about the mounts, for later steps.
pub(crate) struct Known {
    /// `/` is the bottom of the mount tree, or mountinfo does not show it.
    pub(crate) root_is_bottom: bool,
    /// This launch has mounted /run.
    pub(crate) run_is_own: bool,
}

/// Mounts the table's rows, then creates the links in /dev.
pub(crate) fn mount_api(launch: &Launch<'_>) -> Outcome<Known> {
    let mut known = Known {
        root_is_bottom: true,
        run_is_own: false,
    };
    let (mut mounted, mut offered, mut are_others) = (0, 0, false);
    lines(launch, c"/proc/self/mountinfo", &mut |line| {
        let Some(mount) = Mount::parse(line) else {
            return;
        };
        if mount.point == b"/" {
            known.root_is_bottom = mount.is_bottom();
        } else if !mount.is_within(b"/proc") && !mount.is_within(b"/sys") {
            are_others = true;
        }
        mounted |= rows_where(|row| mount.is_within(row.at.to_bytes()));
    })?;
    if launch.role == Role::Machine {
        lines(launch, c"/proc/filesystems", &mut |line| {
            let kind = words(line).last();
            offered |= rows_where(|row| kind == Some(row.kind.to_bytes()));
        })?;
    }
    for (number, row) in TABLE.iter().enumerate() {
        let wanted = row.need == Required || offered & (1 << number) != 0;
        if mounted & (1 << number) != 0 || !wanted {
            continue;
        }
        // The image's /run may be a link to /var/run, where an outer engine has mounted something. No row is a link into /proc
        // or /sys.
        if are_others && mounted::leads_to_mounts(row.at).at(launch, Step::Mount, row.at)? {
            continue;
        }
        match mount_row(row) {
            Err(errno) if row.need == Optional => {
                let error = Error::new(Step::Mount, row.at.to_bytes(), errno);
                error.format(&mut |parts| warn(launch, parts, row.lost));
            }
            outcome => {
                outcome.at(launch, Step::Mount, row.at)?;
                known.run_is_own |= row.at == RUN;
            }
        }
    }
    for (path, target) in LINKS {
        fs::make_link(CWD, path, target).at(launch, Step::Mount, path)?;
    }
    launch
        .log
        .debug("mounted /dev, /sys, /run and what is below them", &[]);
    Ok(known)
}

fn warn(launch: &Launch<'_>, parts: &[&[u8]], lost: &'static str) {
    let mut all: Vec<&[u8], 12> = Vec::new();
    let _ = all.extend_from_slice(parts);
    let _ = all.extend_from_slice(&[b"; lost: ", lost.as_bytes()]);
    launch.log.warning("", &all);
}

fn mount_row(row: &Row) -> io::Result<()> {
    let once = || mount(row.kind, row.at, row.kind, row.flags, row.data);
    match once() {
        // Most mount points are in the image or come with the mount above; a missing one is created.
        Err(Errno::NOENT) => {
            mkdir(row.at, Mode::from_raw_mode(0o755))?;
            once()
        }
        outcome => outcome,
    }
}

fn lines(launch: &Launch<'_>, file: &CStr, each: &mut dyn FnMut(&[u8])) -> Outcome<()> {
    let read = fs::lines(file, &mut |line| each(trim(line)));
    read.at(launch, Step::Mount, file)
}

/// The matching rows, as bits.
fn rows_where(matches: impl Fn(&Row) -> bool) -> u32 {
    let bits = TABLE.iter().enumerate();
    bits.fold(0, |bits, (number, row)| {
        bits | u32::from(matches(row)) << number
    })
}

/// Makes sure that PID 1 can log, before its first line: if descriptors 0 to 2 are not all open, it opens /dev/console on
/// them. Without a console it opens /dev/null, and logs to /dev/kmsg.
///
/// A failure cannot be logged here: the launch mounts /dev again and reports the reason.
#[inline(never)]
pub fn open_console(settings: &mut Settings<'_>) {
    let closed = |number: &u32| fcntl_getfd(sys::inherited(*number)).is_err();
    let standard = |number| PollFd::from_borrowed_fd(sys::inherited(number), PollFlags::empty());
    let mut standard = [0, 1, 2].map(standard);
    let polled = poll(&mut standard, Some(&Timespec::default()));
    let is_missing = |one: &&PollFd<'_>| one.revents().contains(PollFlags::NVAL);
    let missing = standard.iter().filter(is_missing).count();
    if polled.is_err() || missing == 0 {
        return;
    }
    let log_is_closed = closed(&settings.log);
    mount_devices();
    let device = |path: &CStr| open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let console = device(c"/dev/console");
    let silent = console.is_err();
    let path = if silent {
        c"/dev/null"
    } else {
        c"/dev/console"
    };
    // Each open(2) returns the lowest free number: the missing descriptors.
    let opened =
        core::iter::once(console).chain((1..missing + usize::from(silent)).map(|_| device(path)));
    opened
        .flatten()
        .for_each(|descriptor| _ = sys::keep(descriptor));
    // Above the descriptors that are passed to the daemon.
    let high = |kmsg| fcntl_dupfd_cloexec(kmsg, 64);
    if silent
        && log_is_closed
        && let Ok(kmsg) = device(c"/dev/kmsg").and_then(high)
    {
        settings.log = sys::keep(kmsg);
    }
}

/// Mounts /dev for PID 1, if the image has no devices and the launch has not mounted them yet.
pub(crate) fn mount_devices() {
    let is_free = mounted::is_of_root(c"/dev") != Ok(false);
    // A failure cannot be logged yet: the launch tries again and reports the reason.
    if getpid().is_init()
        && is_free
        && fs::exists(CWD, c"/dev/null") == Ok(false)
        && let Some(dev) = TABLE.first()
    {
        let _ = mount_row(dev);
    }
}

/// How long a serial line may take to send the last lines, in seconds.
const LAST_WORDS: u32 = 5;

/// Waits until the console has sent everything: the kernel panics as soon as PID 1 ends, and a serial line loses what it
/// has not sent. A child waits, so that a stopped line (XOFF) cannot block the end.
pub(crate) fn drain_console(settings: &Settings<'_>) {
    // A log that still blocks is not waited for again.
    if getpid().is_init() && settings.as_log().catch_up() == u64::MAX {
        let _ = children::in_child(LAST_WORDS, None, &mut || {
            u8::from(tcdrain(sys::inherited(settings.log)).is_err())
        });
    }
}
