//! A root that needs drivers: as `rdinit`, with `root=` among the kernel's own words, modules are loaded from the initramfs,
//! the device is waited for and mounted, the early mounts move there, the initramfs is freed, and the launch goes on as
//! PID 1 on the new root. The words are the kernel's (Documentation/admin-guide/kernel-parameters.txt).

use crate::{
    disks::{self, Contents, Device, superblock},
    error::{Step, reason},
    fs,
    kernel::cmdline::{self, Argument},
    launch::{Context, Launch, Outcome, role},
    settings::Role,
    steps::become_root::{self, ASIDE},
    text::{Text, list, number},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{AtFlags, FileType, Mode, fstat, mkdir, statat, statfs, unlinkat},
    io::{self, Errno},
    mount::{MountFlags, mount, mount_move},
};

/// The early mounts that are below `/` already, and what is below them. They move along.
const MOVED: &[&CStr] = &[c"/dev", c"/proc", c"/sys", c"/run"];
/// How long the device may take to appear, in seconds; with `rootwait`, which is the most that `rootwait=` and `rootdelay=`
/// may say. Nobody sleeps for `rootdelay=`: the device is waited for.
const APPEARS: u64 = 10;
const WAIT: u64 = 300;
const LATE: &str = "no such disk in that time; look at root=, say rootwait, or name the module of its driver in DOCKER_LAUNCH_MODULES";
const PROTECTED: &str = "read-only file system (EROFS): the disk is write-protected, and its journal is to be replayed; let it be written once, or say rootflags=noload (ext4) or rootflags=norecovery (xfs)";
/// The longest value that is taken.
const LONGEST: usize = 1024;
/// TMPFS_MAGIC and RAMFS_MAGIC (linux/magic.h): only an initramfs is freed.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
/// What boot loaders that know of no initramfs call it.
const INITRAMFS: &[u8] = b"/dev/ram0";
/// How deep the initramfs may be.
const DEPTH: u8 = 64;

/// The kernel's words that tell of a root.
#[derive(Clone, Copy)]
enum Word {
    Root,
    Types,
    Flags,
    ReadOnly,
    Writable,
    Wait,
}

const NAMES: &[(&str, Word)] = &[
    ("root", Word::Root),
    ("rootfstype", Word::Types),
    ("rootflags", Word::Flags),
    ("ro", Word::ReadOnly),
    ("rw", Word::Writable),
    ("rootwait", Word::Wait),
    ("rootdelay", Word::Wait),
];

/// What they say.
struct Wanted {
    device: Text<LONGEST>,
    types: Text<LONGEST>,
    flags: Text<LONGEST>,
    writable: bool,
    seconds: u64,
    /// All values fit.
    fits: bool,
}

impl Wanted {
    const fn new() -> Self {
        Self {
            device: Text::new(),
            types: Text::new(),
            flags: Text::new(),
            writable: false,
            seconds: APPEARS,
            fits: true,
        }
    }

    /// `false` without another root.
    fn read(&mut self, launch: &Launch<'_>) -> Outcome<bool> {
        cmdline::arguments(launch.log, &mut |argument| self.take(argument)).at(
            launch,
            Step::Root,
            cmdline::FILE,
        )?;
        if !self.fits {
            let reason = "root=, rootfstype= or rootflags= is longer than 1,023 bytes";
            return Err(launch.failed(Step::Root, cmdline::FILE.to_bytes(), reason));
        }
        Ok(self.is_another())
    }

    fn is_another(&self) -> bool {
        !matches!(self.device.as_bytes(), b"" | INITRAMFS)
    }

    /// Of an argument that stands there twice the last counts, as for the kernel.
    fn take(&mut self, argument: &Argument<'_>) {
        if argument.for_init {
            return;
        }
        let value = argument.value.unwrap_or_default();
        let known = |(known, _): &&(&str, Word)| known.as_bytes() == argument.name;
        let text = match NAMES.iter().find(known) {
            Some((_, Word::Root)) => &mut self.device,
            Some((_, Word::Types)) => &mut self.types,
            Some((_, Word::Flags)) => &mut self.flags,
            Some((_, Word::ReadOnly)) => return self.writable = false,
            Some((_, Word::Writable)) => return self.writable = true,
            Some((_, Word::Wait)) => {
                let seconds = number(value).unwrap_or(WAIT).min(WAIT);
                return self.seconds = self.seconds.max(seconds);
            }
            None => return,
        };
        if text.set(&[value]).is_err() {
            self.fits = false;
        }
    }
}

/// Whether this is the machine's PID 1 on an initramfs, and `root=` names another root.
pub(crate) fn is_wanted(launch: &Launch<'_>) -> Outcome<bool> {
    let ours = launch.role == Role::Machine && role::in_first_namespace();
    if !ours {
        return Ok(false);
    }
    let root = statfs(c"/").at(launch, Step::Root, c"/")?;
    if !IN_MEMORY.contains(&root.f_type) {
        return Ok(false);
    }
    Wanted::new().read(launch)
}

/// Goes on from the root that is wanted.
pub(crate) fn enter(launch: &Launch<'_>) -> Outcome<()> {
    let mut wanted = Wanted::new();
    if !wanted.read(launch)? {
        return Ok(());
    }
    let degraded = list(wanted.flags.as_bytes()).any(|flag| flag == b"degraded");
    let device = disks::find(
        launch,
        Step::Root,
        wanted.device.as_bytes(),
        wanted.seconds,
        LATE,
        degraded,
    )?;
    become_root::make(launch)?;
    mount_root(launch, &wanted, &device)?;
    let initramfs = fs::directory(c"/").at(launch, Step::Root, c"/")?;
    MOVED
        .iter()
        .try_for_each(|place| move_along(launch, place))?;
    become_root::enter(launch)?;
    if let Err(errno) = free(initramfs.as_fd(), DEPTH) {
        let what = b"the initramfs could not be freed and keeps its memory: ";
        launch.log.warning(&[what, reason(errno).as_bytes()]);
    }
    launch.log.line(&[b"/ is ", device.path.as_bytes()]);
    Ok(())
}

/// As `rootfstype=` says, else as the superblock does. What can only be read is mounted so, as the kernel does (init/do_mounts.c).
fn mount_root(launch: &Launch<'_>, wanted: &Wanted, device: &Device) -> Outcome<()> {
    let path = device.path.as_c_str();
    let mut block = [0; superblock::LENGTH];
    let contents = device.judge(&mut block).at(launch, Step::Root, path)?;
    let reason = match &contents {
        Contents::Taken(_) => {
            "this is no root: name what lies on it (a partition, an array, a volume)"
        }
        Contents::Foreign(_) | Contents::Unknown if wanted.types.as_bytes().is_empty() => {
            "it holds no file system that is known; say rootfstype="
        }
        _ => "",
    };
    if !reason.is_empty() {
        let subject = device.described(&contents);
        return Err(launch.failed(Step::Root, subject.as_bytes(), reason));
    }
    let data = wanted.flags.as_c_str();
    let found = match contents {
        Contents::FileSystem(format) if wanted.types.as_bytes().is_empty() => {
            format.name.to_bytes()
        }
        _ => wanted.types.as_bytes(),
    };
    let mut flags = if wanted.writable {
        MountFlags::empty()
    } else {
        MountFlags::RDONLY
    };
    loop {
        let (mut outcome, mut is_protected) = (Err(Errno::NODEV), false);
        for kind in list(found) {
            let kind = fs::path(&[kind]);
            outcome = mount(path, ASIDE, kind.as_c_str(), flags, data);
            if outcome.is_ok() {
                return Ok(());
            }
            is_protected |= matches!(outcome, Err(Errno::ACCESS | Errno::ROFS));
        }
        if !is_protected || flags == MountFlags::RDONLY {
            return match outcome {
                Err(Errno::ROFS) => Err(launch.failed(Step::Root, path.to_bytes(), PROTECTED)),
                outcome => outcome.at(launch, Step::Root, path),
            };
        }
        launch.log.warning(&[
            path.to_bytes(),
            b" is write-protected: it is mounted read-only, although the command line says rw",
        ]);
        flags = MountFlags::RDONLY;
    }
}

fn move_along(launch: &Launch<'_>, place: &CStr) -> Outcome<()> {
    let to = fs::path(&[ASIDE.to_bytes(), place.to_bytes()]);
    // A root that can be written may lack it.
    let _ = mkdir(to.as_c_str(), Mode::from_raw_mode(0o755));
    mount_move(place, to.as_c_str()).map_err(|errno| match errno {
        Errno::NOENT => {
            let reason = "the root lacks this directory: an image needs /dev, /proc, /run and /sys";
            launch.failed(Step::Root, place.to_bytes(), reason)
        }
        errno => launch.refused(Step::Root, place.to_bytes(), errno),
    })
}

/// Takes away all files of the file system that the directory lies on: they are memory that nobody can reach any more.
fn free(directory: BorrowedFd<'_>, depth: u8) -> io::Result<()> {
    let deeper = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let here = fstat(directory)?.st_dev;
    fs::entries(directory, &mut |name| {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return unlinkat(directory, name, AtFlags::empty());
        }
        if stat.st_dev != here {
            return Ok(());
        }
        free(fs::subdirectory(directory, name)?.as_fd(), deeper)?;
        match unlinkat(directory, name, AtFlags::REMOVEDIR) {
            // Something is mounted below it.
            Err(Errno::NOTEMPTY | Errno::BUSY) => Ok(()),
            outcome => outcome,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: &[(&str, &str)]) -> Wanted {
        let mut wanted = Wanted::new();
        for (name, value) in arguments {
            wanted.take(&Argument {
                name: name.as_bytes(),
                value: Some(value.as_bytes()),
                for_init: false,
            });
        }
        wanted
    }

    #[test]
    fn the_last_of_each_argument_counts_but_not_those_for_init() {
        let mut wanted = wanted(&[
            ("root", "/dev/sda1"),
            ("ro", ""),
            ("root", "LABEL=x"),
            ("rootfstype", "ext4,xfs"),
            ("rootwait", ""),
            ("rw", ""),
        ]);
        wanted.take(&Argument {
            name: b"root",
            value: Some(b"y"),
            for_init: true,
        });
        assert_eq!(wanted.device.as_bytes(), b"LABEL=x");
        assert_eq!(wanted.types.as_bytes(), b"ext4,xfs");
        assert!(wanted.writable && wanted.seconds == WAIT && wanted.fits);
        assert!(wanted.flags.as_bytes().is_empty() && wanted.is_another());
    }

    #[test]
    fn without_a_device_or_with_the_initramfs_there_is_no_other_root() {
        assert!(!wanted(&[("console", "ttyS0"), ("rw", "")]).is_another());
        assert!(!wanted(&[("root", "/dev/ram0")]).is_another());
        assert!(!wanted(&[("root", &"x".repeat(LONGEST))]).fits);
    }

    #[test]
    fn waits_are_limited() {
        for (arguments, seconds) in [
            (&[][..], 10),
            (&[("rootdelay", "1")], 10),
            (&[("rootwait", "20")], 20),
            (&[("rootdelay", "9999")], 300),
            (&[("rootwait", "x")], 300),
            (&[("rootwait", ""), ("rootdelay", "1")], 300),
        ] {
            assert_eq!(wanted(arguments).seconds, seconds, "{arguments:?}");
        }
    }
}
