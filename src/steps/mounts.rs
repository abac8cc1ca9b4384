//! The early mounts, with the flags that systemd's mount-setup.c has, and the console.
//!
//! A row is skipped where something is mounted already, there or below: the outer engine of a container made it, or an
//! operator. /proc is not a row: role.rs needs it first.

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
    fs::{CWD, Mode, OFlags, mkdir, open},
    io::{self, Errno, fcntl_dupfd_cloexec, fcntl_getfd},
    mount::{MountFlags, mount},
    process::getpid,
    termios::tcdrain,
};

#[derive(Clone, Copy, PartialEq)]
enum Need {
    /// Docker does not run without it.
    Required,
    /// Only on the machine, and only where /proc/filesystems has it: what is lost is told.
    Optional,
}
use Need::{Optional, Required};

struct Row {
    at: &'static CStr,
    kind: &'static CStr,
    flags: MountFlags,
    data: &'static CStr,
    need: Need,
    /// What Docker cannot do without it, where it can do without it.
    lost: &'static str,
}

const PLAIN: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NODEV);
const SHARED_MEMORY: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
const STRICT: MountFlags = MountFlags::NOSUID.union(MountFlags::STRICTATIME);

/// /dev first, so that there is a console to speak to.
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
        at: c"/run",
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

/// What programs expect in /dev beside the devices.
const LINKS: &[(&CStr, &CStr)] = &[
    (c"/dev/fd", c"/proc/self/fd"),
    (c"/dev/stdin", c"/proc/self/fd/0"),
    (c"/dev/stdout", c"/proc/self/fd/1"),
    (c"/dev/stderr", c"/proc/self/fd/2"),
    (c"/dev/core", c"/proc/kcore"),
    (c"/dev/ptmx", c"pts/ptmx"),
];

/// Walks the table, then makes the links of /dev.
pub(crate) fn mount_api(launch: &Launch<'_>) -> Outcome<()> {
    let mounted = rows_where(launch, c"/proc/self/mountinfo", |row, line| {
        Mount::parse(line).is_some_and(|mount| mount.is_within(row.at.to_bytes()))
    })?;
    let offered = match launch.role {
        Role::Machine => rows_where(launch, c"/proc/filesystems", |row, line| {
            words(line).last() == Some(row.kind.to_bytes())
        })?,
        Role::Container => 0,
    };
    for (number, row) in TABLE.iter().enumerate() {
        let wanted = row.need == Required || offered & (1 << number) != 0;
        if mounted & (1 << number) != 0 || !wanted {
            continue;
        }
        // An image's /run may be a link to /var/run, where an outer engine has mounted something.
        if mounted::leads_to_mounts(row.at).at(launch, Step::Mount, row.at)? {
            continue;
        }
        match mount_row(row) {
            Err(errno) if row.need == Optional => {
                let error = Error::new(Step::Mount, row.at.to_bytes(), errno);
                error.format(&mut |parts| warn(launch, parts, row.lost));
            }
            outcome => outcome.at(launch, Step::Mount, row.at)?,
        }
    }
    for (path, target) in LINKS {
        fs::make_link(CWD, path, target).at(launch, Step::Mount, path)?;
    }
    launch
        .log
        .debug(&[b"mounted /dev, /sys, /run and what is below them"]);
    Ok(())
}

fn warn(launch: &Launch<'_>, parts: &[&[u8]], lost: &'static str) {
    let mut all: Vec<&[u8], 12> = Vec::new();
    let _ = all.extend_from_slice(parts);
    let _ = all.extend_from_slice(&[b"; lost: ", lost.as_bytes()]);
    launch.log.warning(&all);
}

fn mount_row(row: &Row) -> io::Result<()> {
    let once = || mount(row.kind, row.at, row.kind, row.flags, row.data);
    match once() {
        // The mount point is made only where it is missing: most stand in the image or come with the mount above.
        Err(Errno::NOENT) => {
            mkdir(row.at, Mode::from_raw_mode(0o755))?;
            once()
        }
        outcome => outcome,
    }
}

/// The rows, as bits, for which any line of a file of /proc speaks.
fn rows_where(
    launch: &Launch<'_>,
    path: &CStr,
    speaks: impl Fn(&Row, &[u8]) -> bool,
) -> Outcome<u32> {
    let mut found = 0;
    fs::lines(path, &mut |line| {
        for (number, row) in TABLE.iter().enumerate() {
            found |= u32::from(speaks(row, trim(line))) << number;
        }
    })
    .at(launch, Step::Mount, path)?;
    Ok(found)
}

/// Makes sure that PID 1 can speak, before its first word: where descriptors 0 to 2 are not all open it opens
/// /dev/console on them, or /dev/null and logs to /dev/kmsg where there is no console.
///
/// Nothing can be told when this fails: the launch says the rest.
#[inline(never)]
pub fn open_console(settings: &mut Settings<'_>) {
    let closed = |number: &u32| fcntl_getfd(sys::inherited(*number)).is_err();
    let missing = (0..=2).filter(closed).count();
    if missing == 0 {
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
    // The kernel gives each open the lowest number that is free: those that are missing.
    let opened =
        core::iter::once(console).chain((1..missing + usize::from(silent)).map(|_| device(path)));
    opened
        .flatten()
        .for_each(|descriptor| _ = sys::keep(descriptor));
    // Out of the way of the descriptors that are handed to the daemon.
    let high = |kmsg| fcntl_dupfd_cloexec(kmsg, 64);
    if silent
        && log_is_closed
        && let Ok(kmsg) = device(c"/dev/kmsg").and_then(high)
    {
        settings.log = sys::keep(kmsg);
    }
}

/// PID 1's devices, where the image brings none and the launch has not come so far.
pub(crate) fn mount_devices() {
    let is_free = mounted::is_of_root(c"/dev") != Ok(false);
    // Nothing can be told yet: the launch mounts it again, and says why it cannot.
    if getpid().is_init()
        && is_free
        && fs::exists(CWD, c"/dev/null") == Ok(false)
        && let Some(dev) = TABLE.first()
    {
        let _ = mount_row(dev);
    }
}

/// How long a serial line may take to carry the last words, in seconds.
const LAST_WORDS: u32 = 5;

/// Waits until the console has sent what was written to it: the kernel panics as soon as PID 1 ends, and what a serial
/// line still holds then is lost. A child waits, so that a line that is held (XOFF) cannot hold the end.
pub(crate) fn drain_console(settings: &Settings<'_>) {
    // A log that still takes nothing is not waited for once more.
    if getpid().is_init() && settings.as_log().catch_up() == u64::MAX {
        let _ = children::in_child(LAST_WORDS, None, &mut || {
            u8::from(tcdrain(sys::inherited(settings.log)).is_err())
        });
    }
}
