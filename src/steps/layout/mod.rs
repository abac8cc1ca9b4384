//! Creates the directories, links and small files that Docker expects, where they are missing, and copies the image's
//! defaults from /usr/etc to /etc.

use crate::{
    error::Step,
    fs::{
        self, Batch, PATH, Pass, Put, Root,
        copy::{Event, FILES},
    },
    launch::{Context, Launch, Outcome},
    steps::files::Files,
    text::{Text, hexadecimal},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{Mode, mkdirat},
    io::{self, Errno},
    process::umask,
    rand::{GetRandomFlags, getrandom},
};

enum Thing {
    /// Name, mode.
    Directory(&'static CStr, u32),
    /// Name, target.
    Link(&'static CStr, &'static CStr),
    /// Name of a link, perhaps the image's own; mode of its target directory, which is created if it is missing.
    Target(&'static CStr, u32),
    /// Name, contents.
    File(&'static CStr, &'static str),
    /// 128 random bits in hexadecimal, made once (machine-id(5)); in images for many machines the file is empty.
    Id(&'static CStr),
    /// A directory whose files are copied here if they are missing.
    Defaults(&'static CStr),
}
use Thing::{Defaults, Directory, File, Id, Link, Target};

impl Thing {
    fn name(&self) -> &'static CStr {
        match *self {
            Directory(name, _) | Target(name, _) | Link(name, _) => name,
            File(name, _) | Id(name) | Defaults(name) => name,
        }
    }

    fn is_file(&self) -> bool {
        matches!(self, File(..) | Id(_) | Defaults(_))
    }
}

/// The contents of a directory. A directory comes before its own contents.
struct Place {
    parent: &'static CStr,
    things: &'static [Thing],
}

impl Place {
    /// The path of one of its things. Defaults have an absolute path.
    fn path(&self, name: &CStr) -> Text<PATH> {
        if name.to_bytes().starts_with(b"/") {
            return fs::path(&[name.to_bytes()]);
        }
        let parent = self.parent.to_bytes();
        let parent = parent.strip_suffix(b"/").unwrap_or(parent);
        fs::path(&[parent, b"/", name.to_bytes()])
    }
}

const TREE: &[Place] = &[
    Place {
        parent: c"/",
        things: &[
            Directory(c"etc", 0o755),
            Directory(c"root", 0o700),
            Directory(c"tmp", 0o1777),
            Directory(c"usr", 0o755),
            Directory(c"var", 0o755),
            Link(c"bin", c"usr/bin"),
            Link(c"lib", c"usr/lib"),
            Link(c"lib64", c"usr/lib64"),
            Link(c"sbin", c"usr/sbin"),
        ],
    },
    Place {
        parent: c"/root",
        things: &[Directory(c".ssh", 0o700)],
    },
    Place {
        parent: c"/usr",
        things: &[Directory(c"lib", 0o755)],
    },
    Place {
        parent: c"/var",
        things: &[
            Directory(c"lib", 0o755),
            Directory(c"log", 0o755),
            Link(c"run", c"../run"),
            Target(c"run", 0o755),
        ],
    },
    Place {
        parent: c"/var/lib",
        things: &[Directory(c"docker", 0o710)],
    },
    // These come after the image's defaults, and fill what is still missing.
    Place {
        parent: c"/etc",
        things: &[
            Defaults(c"/usr/etc"),
            Link(c"mtab", c"../proc/self/mounts"),
            File(c"group", "root:x:0:\ndocker:x:999:\n"),
            File(
                c"hosts",
                "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
            ),
            File(
                c"nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\n",
            ),
            Id(c"machine-id"),
            File(c"passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ],
    },
];

/// So many names are looked up one by one; to read the directory takes two calls.
const FEW: usize = 3;

pub(crate) fn create(launch: &Launch<'_>) -> Outcome<()> {
    let root = Root::open(c"/").at(launch, Step::Layout, c"/")?;
    // The modes are exact: /tmp is for everybody. The daemon gets the original umask.
    let mask = umask(Mode::empty());
    create_in(launch, &root);
    umask(mask);
    launch
        .log
        .debug("directories, links and files of /etc are there", &[]);
    Ok(())
}

/// Creates the tree below any root. A failure is a warning: Docker itself names what it misses.
fn create_in(launch: &Launch<'_>, root: &Root) {
    for place in TREE {
        let path = place.parent.to_bytes();
        let parent = match root.directory(place.parent) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::LOOP) => continue, // creating it failed, which was logged
            Err(errno) => {
                launch.warn_of(Step::Layout, path, errno);
                continue;
            }
        };
        let parent = parent.as_fd();
        let mut known = Known::default();
        Files::new(launch, Step::Layout).write(parent, path, &mut |files, pass| {
            if pass == Pass::Write {
                report(files, place, c"", known.read(parent, place));
            }
            for (number, thing) in place.things.iter().enumerate() {
                let bit = 1 << number;
                let made = if pass == Pass::Write {
                    make(
                        launch,
                        files,
                        (root, parent),
                        (place, thing),
                        (&mut known, bit),
                    )
                } else if known.waiting & bit != 0 {
                    finish(files, (root, parent), (place, thing), pass)
                } else {
                    Ok(())
                };
                if let Err(errno) = made {
                    let culprit = fs::blocking_name(parent, thing.name());
                    let culprit = culprit.unwrap_or(Text::new());
                    report(files, place, culprit.as_c_str(), Err(errno));
                }
            }
        });
    }
}

/// What is known about the things of a place, one bit for each.
#[derive(Default)]
struct Known {
    /// The directory has an entry of this name, or a real directory.
    entries: u32,
    directories: u32,
    /// It has no other entries.
    is_all: bool,
    /// They must be finished once all files are durable.
    waiting: u32,
}

impl Known {
    /// Reads the directory if that is cheaper than asking for each thing, and removes what an interrupted launch has left.
    fn read(&mut self, parent: BorrowedFd<'_>, place: &Place) -> io::Result<()> {
        let has_files = place.things.iter().any(Thing::is_file);
        if !has_files && place.things.len() <= FEW {
            return Ok(());
        }
        let read = fs::kinds(parent, &mut |name, is_directory| {
            if has_files {
                fs::remove_if_temporary(parent, name);
            }
            for (number, thing) in place.things.iter().enumerate() {
                let is_same = thing.name() == name;
                self.entries |= u32::from(is_same) << number;
                self.directories |= u32::from(is_same && is_directory) << number;
            }
            Ok(())
        });
        self.is_all = read.is_ok();
        if has_files { read } else { Ok(()) }
    }

    fn lacks(&self, bit: u32) -> bool {
        self.is_all && self.entries & bit == 0
    }
}

fn report(files: &mut Files<'_, '_>, place: &Place, name: &CStr, outcome: io::Result<()>) {
    if let Err(errno) = outcome {
        let path = place.path(name);
        files.report(path.as_bytes(), Event::Refused(errno));
    }
}

fn make(
    launch: &Launch<'_>,
    files: &mut Files<'_, '_>,
    (root, parent): (&Root, BorrowedFd<'_>),
    (place, thing): (&Place, &Thing),
    (known, bit): (&mut Known, u32),
) -> io::Result<()> {
    let path = place.path(thing.name());
    let path = path.as_bytes();
    match *thing {
        Directory(..) | Target(..) if known.directories & bit != 0 => Ok(()),
        Directory(name, _) if !known.lacks(bit) && !fs::is_missing(parent, name)? => Ok(()),
        Directory(name, mode) => match mkdirat(parent, name, Mode::from_raw_mode(mode)) {
            Err(Errno::EXIST) => make_target(launch, root, (parent, name), path, mode),
            made => made,
        },
        Target(name, mode) => make_target(launch, root, (parent, name), path, mode),
        Link(..) if known.entries & bit != 0 => Ok(()),
        Link(name, target) => fs::make_link(parent, name, target),
        File(name, contents) => {
            let mut fill = |file: BorrowedFd<'_>| fs::fill(file, contents.as_bytes(), 0o644);
            if put(files, (parent, name), (known, bit), &mut fill)? {
                files.report(path, Event::Again);
            }
            Ok(())
        }
        Id(name) => {
            if put(files, (parent, name), (known, bit), &mut make_id)? {
                launch
                    .log
                    .line("{} was empty: a new one is written", &[path]);
            }
            Ok(())
        }
        Defaults(directory) => match root.directory(directory) {
            Ok(defaults) => {
                known.is_all = false;
                known.waiting |= bit;
                files.copy(FILES, defaults.as_fd(), parent, place.parent, Pass::Write)
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(errno) => Err(errno),
        },
    }
}

/// Writes a file if it is missing or empty; returns whether it was empty.
fn put(
    files: &mut Files<'_, '_>,
    (parent, name): (BorrowedFd<'_>, &CStr),
    (known, bit): (&mut Known, u32),
    fill: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> io::Result<bool> {
    let (put, was_empty) = files.put(parent, name, known.lacks(bit), fill)?;
    if put == Put::Waits {
        known.waiting |= bit;
    }
    Ok(was_empty)
}

/// The second pass over what waits.
fn finish(
    files: &mut Files<'_, '_>,
    (root, parent): (&Root, BorrowedFd<'_>),
    (place, thing): (&Place, &Thing),
    pass: Pass,
) -> io::Result<()> {
    match *thing {
        Defaults(directory) => {
            let defaults = root.directory(directory)?;
            files.copy(FILES, defaults.as_fd(), parent, place.parent, pass)
        }
        _ => Batch::finish(parent, thing.name(), pass),
    }
}

/// Creates the target of a dangling link; images have such links for their own init to complete.
fn make_target(
    launch: &Launch<'_>,
    root: &Root,
    (parent, name): (BorrowedFd<'_>, &CStr),
    path: &[u8],
    mode: u32,
) -> io::Result<()> {
    if fs::is_missing(parent, name)? && fs::exists(parent, name)? {
        root.make_directories(path, mode)?;
        launch
            .log
            .debug("{} is a dangling link: its target is created", &[path]);
    }
    Ok(())
}

fn make_id(file: BorrowedFd<'_>) -> io::Result<()> {
    let mut random = [0; 16];
    // If the kernel has too little entropy yet, it gathers it within a second (since 5.4).
    getrandom(&mut random, GetRandomFlags::empty())?;
    let mut id = [b'\n'; 33];
    hexadecimal(&random, &mut id);
    fs::fill(file, &id, 0o444)
}

#[cfg(test)]
mod tests;
