//! On which file system images and containers would lie, and whether overlay works on it.

use super::report::{Report, State, Thing};
use crate::{
    fs::{self, PATH},
    mountinfo::Mount,
    requirements::Need,
    sys,
    text::Text,
};
use core::ffi::CStr;
use rustix::{
    fd::AsFd,
    fs::{Mode, OFlags, open},
    io::Errno,
};

const OVERLAY: &str = "failed to mount overlay: invalid argument";
const NO_TYPES: &str =
    "the backing filesystem is formatted without d_type support, which leads to incorrect behavior";

/// File systems that overlay takes for no upper layer (moby, overlayutils; the kernel's ovl_dentry_weird).
const UNFIT: &[&[u8]] = &[
    b"overlay",
    b"ecryptfs",
    b"nfs",
    b"nfs4",
    b"vfat",
    b"9p",
    b"fuse",
    b"virtiofs",
];

pub(super) fn report(report: &mut Report, root: &Text<PATH>) {
    let Some((there, types)) = nearest(root.as_bytes()) else {
        return;
    };
    let mut kind: Text<64> = Text::new();
    let mut longest = 0;
    let _ = fs::lines(c"/proc/self/mountinfo", &mut |line| {
        // Of two mounts at one place the later one is seen.
        if let Some(mount) = Mount::parse(line)
            && holds(mount.point, there.as_bytes())
            && mount.point.len() >= longest
        {
            longest = mount.point.len();
            kind = Text::of(&[mount.kind]).unwrap_or(Text::new());
        }
    });
    let unfit = UNFIT.contains(&kind.as_bytes());
    let missing = State::missing(Need::Required);
    let (state, words, error, remedy) = match types {
        _ if unfit => (missing, "", OVERLAY, "mount a volume or a disk there"),
        Ok(true) => (State::Found, ", with d_type", "", ""),
        Ok(false) => (
            missing,
            " without d_type",
            NO_TYPES,
            "xfs: mkfs.xfs -n ftype=1",
        ),
        Err(_) => (
            State::Unknown,
            ", whether with d_type cannot be read",
            "",
            "",
        ),
    };
    let detail = Text::<128>::of(&[kind.as_bytes(), words.as_bytes()]).unwrap_or(Text::new());
    report.begin(&Thing {
        kind: "data root",
        name: root.as_bytes(),
        state,
        detail: ("how", detail.as_bytes()),
        need: Need::Required,
        lost: "overlay does not work on it",
        error,
        remedy: &[remedy.as_bytes()],
    });
    report.end();
}

/// The path itself, or the nearest directory above it that is there; and whether its entries tell their types.
fn nearest(path: &[u8]) -> Option<(Text<PATH>, Result<bool, Errno>)> {
    let mut end = path.len();
    loop {
        let text = Text::<PATH>::of(&[path.get(..end).unwrap_or_default()]).ok()?;
        let place = if end == 0 { c"/" } else { text.as_c_str() };
        match has_types(place) {
            Err(Errno::NOENT | Errno::NOTDIR) if end > 0 => {
                let above = path.get(..end).unwrap_or_default();
                end = above.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            }
            types => return Some((Text::of(&[place.to_bytes()]).ok()?, types)),
        }
    }
}

/// A file system without d_type has it for no entry.
fn has_types(directory: &CStr) -> Result<bool, Errno> {
    const UNKNOWN: u8 = 0;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty())?;
    let mut buffer = [0; 1024];
    let entries = sys::directory_entries(directory.as_fd(), &mut buffer)?;
    // linux_dirent64: inode 8, offset 8, record length 2, type 1.
    Ok(entries.get(18).is_some_and(|kind| *kind != UNKNOWN))
}

/// The mount point is the place or lies above it.
fn holds(point: &[u8], place: &[u8]) -> bool {
    let below = place.strip_prefix(point);
    point == b"/" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
