//! A root that needs drivers: as `rdinit`, with `root=` on the kernel command line, dockerlaunch loads modules from the
//! initramfs, waits for the device, mounts it, moves the early mounts there, frees the initramfs, and goes on as PID 1 on
//! the new root. The parameters are the kernel's own (Documentation/admin-guide/kernel-parameters.txt).

use crate::{
    disks::{self, Contents, Device, superblock},
    error::{Step, reason},
    fs,
    kernel::cmdline::{self, Argument},
    launch::{Context, Launch, Outcome},
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

/// The early mounts, which move to the new root with everything below them.
const MOVED: &[&CStr] = &[c"/dev", c"/proc", c"/sys", c"/run"];
/// How long the device may take to appear, in seconds: by default, and with `rootwait`. The second is also the maximum of
/// `rootwait=` and `rootdelay=`. `rootdelay=` is no fixed delay: the wait ends when the device is there.
const APPEARS: u64 = 10;
const WAIT: u64 = 300;
const LATE: &str = "no such disk in that time; check root=, add rootwait, or add its driver's module to DOCKER_LAUNCH_MODULES";
const PROTECTED: &str = "read-only file system (EROFS): the disk is write-protected, and its journal must be replayed; make it writable once, or add rootflags=noload (ext4) or rootflags=norecovery (xfs)";
/// The maximum length of a value, with its NUL.
const LONGEST: usize = 1024;
/// TMPFS_MAGIC and RAMFS_MAGIC (linux/magic.h): dockerlaunch frees only an initramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
/// Boot loaders that know only the older initrd pass this for an initramfs.
const INITRAMFS: &[u8] = b"/dev/ram0";
/// The maximum directory depth of the initramfs.
const DEPTH: u8 = 64;

/// The kernel parameters about the root.
#[derive(Clone, Copy)]
enum Parameter {
    Root,
    Types,
    Flags,
    ReadOnly,
    Writable,
    Wait,
}

const NAMES: &[(&str, Parameter)] = &[
    ("root", Parameter::Root),
    ("rootfstype", Parameter::Types),
    ("rootflags", Parameter::Flags),
    ("ro", Parameter::ReadOnly),
    ("rw", Parameter::Writable),
    ("rootwait", Parameter::Wait),
    ("rootdelay", Parameter::Wait),
];

/// The values of the parameters.
struct Wanted {
    device: Text<LONGEST>,
    types: Text<LONGEST>,
    flags: Text<LONGEST>,
    writable: bool,
    seconds: u64,
    /// Whether all values fit.
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

    /// Returns whether `root=` names another root.
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

    /// If a parameter is given twice the last counts, as in the kernel.
    fn take(&mut self, argument: &Argument<'_>) {
        if argument.for_init {
            return;
        }
        let value = argument.value.unwrap_or_default();
        let known = |(known, _): &&(&str, Parameter)| known.as_bytes() == argument.name;
        let text = match NAMES.iter().find(known) {
            Some((_, Parameter::Root)) => &mut self.device,
            Some((_, Parameter::Types)) => &mut self.types,
            Some((_, Parameter::Flags)) => &mut self.flags,
            Some((_, Parameter::ReadOnly)) => return self.writable = false,
            Some((_, Parameter::Writable)) => return self.writable = true,
            Some((_, Parameter::Wait)) => {
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
    if !launch.owns_machine {
        return Ok(false);
    }
    let root = statfs(c"/").at(launch, Step::Root, c"/")?;
    if !IN_MEMORY.contains(&root.f_type) {
        return Ok(false);
    }
    Wanted::new().read(launch)
}

/// Switches to the root that `root=` names.
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
        .try_for_each(|place| move_mount_point(launch, place))?;
    become_root::enter(launch)?;
    if let Err(errno) = free(initramfs.as_fd(), DEPTH) {
        launch.log.warning(
            "the initramfs could not be freed and keeps its memory: {}",
            &[reason(errno).as_bytes()],
        );
    }
    launch.log.line("/ is {}", &[device.path.as_bytes()]);
    Ok(())
}

/// The type is that of `rootfstype=`, else that of the superblock. A write-protected device is mounted read-only, as the
/// kernel does (init/do_mounts.c).
fn mount_root(launch: &Launch<'_>, wanted: &Wanted, device: &Device) -> Outcome<()> {
    let path = device.path.as_c_str();
    let mut block = [0; superblock::LENGTH];
    let contents = device.judge(&mut block).at(launch, Step::Root, path)?;
    let reason = match &contents {
        Contents::Taken(_) => {
            "it is not a root: name what is on it (a partition, an array, a volume)"
        }
        Contents::Foreign(_) | Contents::Unknown if wanted.types.as_bytes().is_empty() => {
            "it has no known file system; add rootfstype="
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
        launch.log.warning(
            "{} is write-protected: it is mounted read-only, although the command line says rw",
            &[path.to_bytes()],
        );
        flags = MountFlags::RDONLY;
    }
}

fn move_mount_point(launch: &Launch<'_>, place: &CStr) -> Outcome<()> {
    let to = fs::path(&[ASIDE.to_bytes(), place.to_bytes()]);
    // A writable root may lack the directory.
    let _ = mkdir(to.as_c_str(), Mode::from_raw_mode(0o755));
    mount_move(place, to.as_c_str()).map_err(|errno| match errno {
        Errno::NOENT => {
            let reason = "the root lacks this directory: an image needs /dev, /proc, /run and /sys";
            launch.failed(Step::Root, place.to_bytes(), reason)
        }
        errno => launch.refused(Step::Root, place.to_bytes(), errno),
    })
}

/// Deletes all files of the directory's file system: they take memory, and nothing can reach them any more.
fn free(directory: BorrowedFd<'_>, depth: u8) -> io::Result<()> {
    let deeper = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let here = fstat(directory)?.st_dev;
    fs::entries(directory, &mut |name, _| {
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
    fn the_last_of_a_parameter_counts_and_arguments_for_init_do_not() {
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
    fn no_device_or_the_initramfs_is_not_another_root() {
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
