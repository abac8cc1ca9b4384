//! Reports the file system of the data root, and whether overlay works on it. The directory is opened and queried by its
//! descriptor, so links and blanks in its path do not matter.

use super::report::{Report, State, Thing};
use crate::{
    docker::{
        needs::Need,
        options::{Choices, OTHER_DRIVER},
    },
    error::reason,
    fs::{self, PATH},
    kernel::mountinfo::Mount,
    sys,
    text::Text,
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Mode, OFlags, StatxFlags, open, openat, statx},
    io::{Errno, Result},
};

const OVERLAY: &str = "failed to mount overlay: invalid argument";
const NO_TYPES: &str =
    "the backing filesystem is formatted without d_type support, which leads to incorrect behavior";

/// File systems that overlay rejects as an upper layer (moby, overlayutils; the kernel's ovl_dentry_weird), or that cannot
/// store its whiteouts and attributes.
const UNFIT: &[&[u8]] = &[
    b"overlay",
    b"aufs",
    b"ecryptfs",
    b"nfs",
    b"nfs4",
    b"cifs",
    b"smb3",
    b"vfat",
    b"exfat",
    b"9p",
    b"virtiofs",
];

pub(super) fn report(report: &mut Report, root: &Text<PATH>, choices: Choices, is_sure: bool) {
    let opened = nearest(root.as_bytes());
    let kind = opened.as_ref().map_err(|errno| *errno).and_then(kind_of);
    let kind = kind.unwrap_or(Text::new());
    let kind = kind.as_bytes();
    let unfit = UNFIT.contains(&kind) || kind.starts_with(b"fuse");
    let types = match opened {
        _ if unfit => Ok(true),
        opened => opened.and_then(|directory| has_types(directory.as_fd())),
    };
    let missing = State::missing(Need::Required);
    let (mut state, text, error, remedy) = match types {
        _ if unfit => (missing, "", OVERLAY, "mount a volume or a disk there"),
        Ok(true) => (State::Found, ", with d_type", "", ""),
        Ok(false) => (
            missing,
            " without d_type",
            NO_TYPES,
            "xfs: mkfs.xfs -n ftype=1",
        ),
        Err(errno) => (State::Unknown, reason(errno), "", ""),
    };
    let between = match types {
        Err(_) if kind.is_empty() => "cannot be read: ",
        Err(_) => ", d_type cannot be read: ",
        _ => "",
    };
    let (mut key, mut before) = ("how", "");
    if state == missing && choices & OTHER_DRIVER != 0 {
        (state, key) = (State::Needless, "because");
        before = "another storage driver was chosen: ";
    }
    if !is_sure {
        before = "unless the unreadable file says otherwise: ";
        if state == missing {
            state = State::Unknown;
        }
    }
    let detail = [before.as_bytes(), kind, between.as_bytes(), text.as_bytes()];
    let detail = Text::<256>::of(&detail).unwrap_or(Text::new());
    report.begin(&Thing {
        kind: "data root",
        name: root.as_bytes(),
        state,
        detail: (key, detail.as_bytes()),
        need: Need::Required,
        lost: "overlay does not work on it",
        error,
        remedy: &[remedy.as_bytes()],
    });
    report.end();
}

/// Opens the directory, or its nearest existing parent, with O_PATH: this user may not be allowed to read it.
fn nearest(path: &[u8]) -> Result<OwnedFd> {
    let mut end = path.len();
    loop {
        let above = path.get(..end).unwrap_or_default();
        let text = fs::path(&[above]);
        let place = if end == 0 { c"/" } else { text.as_c_str() };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open(place, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) if end > 0 => {
                end = above.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            }
            opened => return opened,
        }
    }
}

/// The file system type that mountinfo shows for the directory's mount.
fn kind_of(directory: &OwnedFd) -> Result<Text<64>> {
    // Does not wait for the file system's server, which may not answer.
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let id = statx(directory, c"", flags, StatxFlags::MNT_ID)?.stx_mnt_id;
    let mut kind = Text::new();
    fs::lines(c"/proc/self/mountinfo", &mut |line| {
        if let Some(mount) = Mount::parse(line).filter(|mount| mount.id == id) {
            kind = Text::of(&[mount.kind]).unwrap_or(Text::new());
        }
    })?;
    Ok(kind)
}

/// Without d_type the type of every entry is unknown.
fn has_types(directory: BorrowedFd<'_>) -> Result<bool> {
    const UNKNOWN: u8 = 0;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(directory, c".", flags, Mode::empty())?;
    let mut buffer = [0; 1024];
    let entries = sys::directory_entries(directory.as_fd(), &mut buffer)?;
    // linux_dirent64: inode 8, offset 8, record length 2, type 1.
    Ok(entries.get(18).is_some_and(|kind| *kind != UNKNOWN))
}
