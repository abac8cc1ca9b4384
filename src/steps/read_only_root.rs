//! A read-only root: the directories that Docker and its tools write to become tmpfs, filled with the image's files and
//! with the mounts that are there. Their contents are lost at power off; data that must last goes on the state disk or in a
//! container's volume. The image itself does not change. All directories are parts of one tmpfs, so that together they
//! cannot take more than half of the memory.

use crate::{
    docker::{command::Command, config::Config},
    error::Step,
    fs::{self, Lookup, copy::Copy},
    kernel::mounted,
    launch::{Context, Launch, Outcome},
    steps::{files::Files, var_run},
};
use core::ffi::CStr;
use rustix::{
    fd::AsFd,
    fs::{Access, AtFlags, CWD, Mode, accessat, chmod, mkdir, rmdir},
    io::{Errno, Result},
    mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount},
};

/// Where the shared tmpfs is mounted while its parts are bound to their places: older kernels bind only from a mount.
const SHARED: &CStr = c"/run/.dockerlaunch";

struct Row {
    place: &'static CStr,
    /// Its directory in the shared tmpfs.
    part: &'static CStr,
    flags: MountFlags,
    mode: u32,
    /// Whether the image's files are copied.
    kept: bool,
}

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
/// Images are stored here, so set-user-ID programs and devices must work in containers.
const DATA: MountFlags = MountFlags::empty();

const TABLE: &[Row] = &[
    Row {
        place: c"/etc",
        part: c"/run/.dockerlaunch/etc",
        flags: PLAIN,
        mode: 0o755,
        kept: true,
    },
    Row {
        place: c"/root",
        part: c"/run/.dockerlaunch/root",
        flags: PLAIN,
        mode: 0o700,
        kept: true,
    },
    Row {
        place: c"/tmp",
        part: c"/run/.dockerlaunch/tmp",
        flags: PLAIN,
        mode: 0o1777,
        kept: false,
    },
    Row {
        place: c"/var",
        part: c"/run/.dockerlaunch/var",
        flags: DATA,
        mode: 0o755,
        kept: true,
    },
];

/// For a data root outside of all of them.
const DATA_ROOT: &CStr = c"/run/.dockerlaunch/data";

/// Covers only read-only directories: a disk mounted at /var stays, and so does a container's writable volume. In a
/// container all mounts of the outer engine stay: resolv.conf, hosts, hostname and volumes.
pub(crate) fn prepare(launch: &Launch<'_>, command: &Command<'_>, run_is_own: bool) -> Outcome<()> {
    // /run must be empty at every start, or the daemon would find old pid files and sockets. It is still on the root if an
    // outer engine has mounted something only below it (podman's marker, Kubernetes' secrets).
    if !run_is_own && mounted::is_of_root(RUN).at(launch, Step::Root, RUN)? {
        let fresh = || mount(c"tmpfs", RUN, c"tmpfs", PLAIN, c"mode=755");
        cover(launch, RUN, false, c"", &fresh).at(launch, Step::Root, RUN)?;
    }
    var_run::bind(launch);
    if !is_read_only(launch, c"/") {
        return Ok(());
    }
    launch.log.debug(
        "/ is read-only: /etc, /root, /tmp and /var are kept in memory",
        &[],
    );
    let covered = cover_all(launch, command);
    // The bound parts stay. If nothing was covered, both calls fail harmlessly.
    let _ = unmount(SHARED, UnmountFlags::DETACH);
    let _ = rmdir(SHARED);
    covered
}

const RUN: &CStr = c"/run";

fn cover_all(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    // The data root of the image: what the steps after this one restore in /etc is on no read-only file system.
    let config = Config::read(launch, command)?;
    let data_root = config.data_root.as_c_str();
    for row in TABLE.iter().filter(|row| is_read_only(launch, row.place)) {
        // A new tmpfs would hide a read-only mount.
        if !row.kept && !mounted::is_of_root(row.place).at(launch, Step::Root, row.place)? {
            continue;
        }
        let bind = || bind(row.part, row.place, row.flags, row.mode);
        cover(launch, row.place, row.kept, data_root, &bind).at(launch, Step::Root, row.place)?;
    }
    if launch.settings.state.is_empty() && is_read_only(launch, data_root) {
        if mounted::is_of_root(data_root).at(launch, Step::Root, data_root)? {
            bind(DATA_ROOT, data_root, DATA, 0o710).at(launch, Step::Root, data_root)?;
        } else {
            launch.log.warning("{} is mounted read-only: the engine cannot keep images and containers there; mount it read-write", &[data_root.to_bytes()]);
        }
    }
    Ok(())
}

fn is_read_only(launch: &Launch<'_>, place: &CStr) -> bool {
    match accessat(CWD, place, Access::WRITE_OK, AtFlags::empty()) {
        Err(Errno::ROFS) => true,
        outcome => {
            outcome.if_exists_or_warn(launch.log, Step::Root, place);
            false
        }
    }
}

/// Mounts over `place` and copies its contents, except the data root: images and containers can be larger than the memory.
/// A file that cannot be copied is a warning.
fn cover(
    launch: &Launch<'_>,
    place: &CStr,
    kept: bool,
    data_root: &CStr,
    mount: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let image = fs::directory(place)?;
    let left = fs::stat(data_root).if_exists()?;
    mount()?;
    let copy = Copy {
        empty: left.map(|stat| (stat.st_dev, stat.st_ino)),
        files: kept,
        mounts: true,
    };
    let memory = fs::directory(place)?;
    let mut copied = Ok(());
    Files::new(launch, Step::Root).write(memory.as_fd(), place.to_bytes(), &mut |files, pass| {
        copied = files.copy(copy, image.as_fd(), memory.as_fd(), place, pass);
    });
    copied
}

/// Creates a part of the shared tmpfs and binds it to its place. The first call mounts the tmpfs; its default size limit is
/// half of the memory (tmpfs(5)).
fn bind(part: &CStr, place: &CStr, flags: MountFlags, mode: u32) -> Result<()> {
    match mkdir(SHARED, Mode::RWXU) {
        Ok(()) => mount(c"tmpfs", SHARED, c"tmpfs", PLAIN, c"")?,
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    mkdir(part, Mode::RWXU)?;
    chmod(part, Mode::from_raw_mode(mode))?; // regardless of the umask
    mount_bind(part, place)?;
    mount_remount(place, MountFlags::BIND | flags, c"")
}
