//! A root that cannot be written: the directories in which Docker and its tools write become tmpfs, filled with what the
//! image has there and with what is mounted there. They forget at power off; what must last lies on the state disk, or in a
//! container's volume. Nothing of the image is altered.

use crate::{
    command::Command,
    copy::{self, Copy},
    error::Step,
    fs::{self, There},
    launch::{Context, Launch, Outcome},
    places::Places,
};
use core::ffi::CStr;
use rustix::{
    fd::AsFd,
    fs::{Access, AtFlags, CWD, accessat},
    io::Errno,
    mount::{MountFlags, mount},
};

struct Row {
    place: &'static CStr,
    flags: MountFlags,
    data: &'static CStr,
    /// What the image has there is copied; of /tmp nothing is.
    kept: bool,
}

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
/// Where images are kept, set-user-ID programs and devices are those of containers.
const DATA: MountFlags = MountFlags::empty();

const TABLE: &[Row] = &[
    Row {
        place: c"/etc",
        flags: PLAIN,
        data: c"mode=755",
        kept: true,
    },
    Row {
        place: c"/root",
        flags: PLAIN,
        data: c"mode=700",
        kept: true,
    },
    Row {
        place: c"/tmp",
        flags: PLAIN,
        data: c"mode=1777",
        kept: false,
    },
    Row {
        place: c"/var",
        flags: DATA,
        data: c"mode=755",
        kept: true,
    },
];

/// Where an outer engine has mounted something below it only (podman its marker, Kubernetes its secrets): /run is fresh at
/// every start all the same, or pid files and sockets of a life before would be found.
const RUN: Row = Row {
    place: c"/run",
    flags: PLAIN,
    data: c"mode=755",
    kept: false,
};

/// Leaves alone what can be written, so that a disk mounted at /var stays, or what a container is given to write. In a
/// container all that the outer engine has mounted is kept: its resolv.conf, hosts and hostname, and volumes.
pub(crate) fn prepare(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    if !copy::is_mount(CWD, RUN.place).at(launch, Step::Root, RUN.place)? {
        cover(&RUN, c"").at(launch, Step::Root, RUN.place)?;
    }
    if !is_read_only(launch, c"/") {
        return Ok(());
    }
    launch
        .log
        .debug(&[b"/ is read-only: /etc, /root, /tmp and /var are kept in memory"]);
    let places = Places::of(command).at(launch, Step::Daemon, c"daemon.json")?;
    let data_root = places.data_root.as_c_str();
    for row in TABLE.iter().filter(|row| is_read_only(launch, row.place)) {
        cover(row, data_root).at(launch, Step::Root, row.place)?;
    }
    if launch.settings.state.is_empty() && is_read_only(launch, data_root) {
        tmpfs(data_root, DATA, c"mode=710").at(launch, Step::Root, data_root)?;
    }
    Ok(())
}

fn is_read_only(launch: &Launch<'_>, place: &CStr) -> bool {
    match accessat(CWD, place, Access::WRITE_OK, AtFlags::empty()) {
        Err(Errno::ROFS) => true,
        outcome => {
            outcome.found(launch.log, Step::Root, place);
            false
        }
    }
}

/// The image's images and containers are not copied into memory: they can be larger than it.
fn cover(row: &Row, data_root: &CStr) -> rustix::io::Result<()> {
    let image = fs::directory(row.place)?;
    let left = fs::stat(data_root).there()?;
    tmpfs(row.place, row.flags, row.data)?;
    let copy = Copy {
        empty: left.map(|stat| (stat.st_dev, stat.st_ino)),
        files: row.kept,
        mounts: true,
    };
    copy.missing(image.as_fd(), fs::directory(row.place)?.as_fd())
}

fn tmpfs(place: &CStr, flags: MountFlags, data: &CStr) -> rustix::io::Result<()> {
    mount(c"tmpfs", place, c"tmpfs", flags, data)
}
