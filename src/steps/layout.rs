//! Creates the directories, links and small files that Docker expects, where they are missing, and copies the image's
//! defaults from /usr/etc to /etc.

use crate::{
    error::Step,
    fs::{
        self, PATH, Pass, Root,
        copy::{Event, FILES},
    },
    launch::{Context, Launch, Outcome},
    steps::files::Files,
    text::{Text, hexadecimal},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::Mode,
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
        Files::new(launch, Step::Layout).write(parent, path, &mut |files, pass| {
            if pass == Pass::Write && place.things.iter().any(Thing::is_file) {
                report(files, place, c"", fs::remove_temporary(parent));
            }
            for thing in place.things {
                let made = make(launch, files, (root, parent), (place, thing), pass);
                if let Err(errno) = made {
                    let culprit = fs::blocking_name(parent, thing.name());
                    let culprit = culprit.unwrap_or(Text::new());
                    report(files, place, culprit.as_c_str(), Err(errno));
                }
            }
        });
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
    pass: Pass,
) -> io::Result<()> {
    let path = place.path(thing.name());
    let path = path.as_bytes();
    match *thing {
        Directory(..) | Target(..) | Link(..) if pass != Pass::Write => Ok(()),
        Directory(name, _) if !fs::is_missing(parent, name)? => Ok(()),
        Directory(name, mode) => {
            fs::make_directory(parent, name, Mode::from_raw_mode(mode))?;
            make_target(launch, root, (parent, name), path, mode)
        }
        Target(name, mode) => make_target(launch, root, (parent, name), path, mode),
        Link(name, target) => fs::make_link(parent, name, target),
        File(name, contents) => {
            let mut fill = |file: BorrowedFd<'_>| fs::fill(file, contents.as_bytes(), 0o644);
            if files.put(parent, name, pass, &mut fill)? {
                files.report(path, Event::Again);
            }
            Ok(())
        }
        Id(name) => {
            if files.put(parent, name, pass, &mut make_id)? {
                launch
                    .log
                    .line("{} was empty: a new one is written", &[path]);
            }
            Ok(())
        }
        Defaults(directory) => match root.directory(directory) {
            Ok(defaults) => files.copy(FILES, defaults.as_fd(), parent, place.parent, pass),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(errno) => Err(errno),
        },
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
mod tests {
    use super::*;
    use crate::settings::{Role, Settings};
    use std::{
        env,
        ffi::CString,
        format, fs as std_fs,
        os::unix::fs::{MetadataExt, symlink},
        path::PathBuf,
        string::ToString,
    };

    fn scratch(name: &str) -> (PathBuf, Root) {
        let path = env::temp_dir().join(format!("layout-{name}-{}", std::process::id()));
        let _ = std_fs::remove_dir_all(&path);
        std_fs::create_dir_all(&path).unwrap();
        umask(Mode::empty());
        let root = Root::open(&CString::new(path.to_str().unwrap()).unwrap()).unwrap();
        (path, root)
    }

    fn fill(root: &Root) {
        let settings = Settings::default();
        crate::kernel::requests::blocked(&settings, |before| {
            create_in(&Launch::new(Role::Machine, &settings, before), root);
        });
    }

    fn mode(path: PathBuf) -> u32 {
        std_fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn fills_an_empty_directory_and_a_second_run_changes_nothing() {
        let (path, root) = scratch("empty");
        fill(&root);
        assert_eq!(mode(path.join("tmp")), 0o1777);
        assert_eq!(mode(path.join("root/.ssh")), 0o700);
        assert_eq!(mode(path.join("var/lib/docker")), 0o710);
        assert_eq!(
            std_fs::read_link(path.join("var/run")).unwrap().to_str(),
            Some("../run")
        );
        let id = std_fs::read_to_string(path.join("etc/machine-id")).unwrap();
        let digits = id.strip_suffix('\n').unwrap();
        assert!(
            digits.len() == 32
                && digits
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        let before = std_fs::metadata(path.join("etc/passwd")).unwrap();
        fill(&root);
        let after = std_fs::metadata(path.join("etc/passwd")).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec()),
            (after.ino(), after.mtime_nsec())
        );
        assert_eq!(
            std_fs::read_to_string(path.join("etc/machine-id")).unwrap(),
            id
        );
        std_fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn copies_missing_defaults_and_never_follows_a_link() {
        let (path, root) = scratch("defaults");
        for directory in [
            "usr/etc/ssl/certs",
            "usr/etc/kept",
            "usr/etc/elsewhere",
            "etc/ssl",
            "outside",
        ] {
            std_fs::create_dir_all(path.join(directory)).unwrap();
        }
        for (file, contents) in [
            ("usr/etc/ssl/certs/ca.crt", "ca"),
            ("usr/etc/hostname", "image\n"),
            ("usr/etc/elsewhere/file", "x"),
            ("etc/ssl/own", "own"),
            ("usr/etc/taken", "default"),
            ("etc/taken", "mine"),
        ] {
            std_fs::write(path.join(file), contents).unwrap();
        }
        symlink("../outside", path.join("etc/elsewhere")).unwrap();
        symlink("ca.crt", path.join("usr/etc/ssl/certs/link")).unwrap();
        fill(&root);
        let read = |file: &str| {
            std_fs::read_to_string(path.join(file)).map_err(|error| error.kind().to_string())
        };
        assert_eq!(read("etc/ssl/certs/ca.crt").unwrap(), "ca");
        assert_eq!(read("etc/ssl/certs/link").unwrap(), "ca");
        assert_eq!(read("etc/hostname").unwrap(), "image\n");
        assert_eq!(read("etc/taken").unwrap(), "mine");
        assert_eq!(read("etc/ssl/own").unwrap(), "own");
        assert!(path.join("etc/kept").is_dir());
        assert_eq!(read("outside/file").unwrap_err(), "entity not found");
        assert_eq!(
            std_fs::read_dir(path.join("etc"))
                .unwrap()
                .filter(|entry| entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .ends_with(".new"))
                .count(),
            0
        );
        std_fs::remove_dir_all(path).unwrap();
    }
}
