//! What Docker needs of user space: a table of programs and files, who needs each, and what fails without it.
//!
//! The table is the original's, updated for current engines. steps/prerequisites.rs walks it at boot, check/ prints it. A
//! program counts as found if its user would find it: dockerd, containerd and git each search their own directories.

mod table;

use crate::{
    docker::{
        command::Command,
        options::{CHOICES, Choice, Choices},
    },
    error::reason,
    fs::{self, Lookup, PATH},
    text::{Text, fields},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{fs::FileType, io::Errno};
use table::LIBEXEC;
pub(crate) use table::TABLE;

/// A program or a file.
pub(crate) struct Requirement {
    pub(crate) name: &'static str,
    place: Place,
    pub(crate) need: Need,
    /// Any of these options makes it unnecessary.
    unless: Choices,
    /// It is needed only with all of these options.
    only: Choices,
    kernel: Kernel,
    texts: Texts,
}

/// The texts of a requirement in one string, and the length of each: smaller than six references.
struct Texts {
    all: &'static str,
    lengths: [u8; 6],
}

impl Texts {
    const fn new(all: &'static str, parts: [&str; 6]) -> Self {
        let mut lengths = [0; 6];
        let mut number = 0;
        while number < parts.len() {
            assert!(parts[number].len() <= u8::MAX as usize);
            lengths[number] = parts[number].len() as u8;
            number += 1;
        }
        Self { all, lengths }
    }

    fn get(&self, number: usize) -> &'static str {
        let mut rest = self.all;
        for (place, length) in self.lengths.iter().enumerate() {
            let (part, behind) = rest
                .split_at_checked((*length).into())
                .unwrap_or((rest, ""));
            if place == number {
                return part;
            }
            rest = behind;
        }
        ""
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// No daemon or no container starts without it.
    Required,
    /// A feature of Docker fails without it.
    Optional,
    /// The original needed it; current engines do not.
    Obsolete,
}

#[cfg(feature = "check")]
impl Need {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Obsolete => "obsolete",
        }
    }
}

/// Where to look for it. Lists are separated by colons, like PATH.
#[derive(Clone, Copy)]
enum Place {
    /// The daemon that was chosen.
    Daemon,
    Path,
    /// PATH, after [`LIBEXEC`].
    Libexec,
    /// PATH, or the directory of containerd's own file.
    BesideContainerd,
    /// These directories only.
    Directories(&'static str),
    /// The first of these files that exists, which must begin with a certificate; SSL_CERT_FILE overrides the list.
    Certificates(&'static str),
}

/// The kernel that it is needed on.
#[derive(Clone, Copy)]
enum Kernel {
    Any,
    /// With loadable modules.
    #[cfg(feature = "modprobe")]
    Modules,
    /// With AppArmor turned on.
    AppArmor,
}

/// The result of a search.
pub(crate) enum Found {
    There,
    /// It is needed, but missing or unusable: why.
    Not(&'static str),
    /// The search failed: the kernel's reason.
    Unknown(&'static str),
    /// It is not needed: because of this option, or because the kernel lacks something.
    Needless(&'static str),
}

/// It was found; or why not.
type Outcome = Result<(), Fault>;

/// Why nothing usable was found in a place.
#[derive(Clone, Copy)]
enum Fault {
    Nothing,
    /// A file is there, but cannot be used.
    Of(&'static str),
    /// The kernel refused the look-up.
    Refused(Errno),
}

pub(crate) const MISSING: &str = "is missing";
pub(crate) const NOT_CHOSEN: &str = "it was not chosen";
const CANNOT: Fault = Fault::Of("cannot be executed");

/// How many directories of PATH are checked for duplicates.
const CHECKED: usize = 32;

/// A search for all programs of the table. Directories of PATH that are missing, or the same as an earlier one (/bin is
/// /usr/bin), are skipped.
pub(crate) struct Search<'c> {
    command: &'c Command<'c>,
    choices: Choices,
    path: &'c [u8],
    skipped: u32,
    /// The same of [`LIBEXEC`].
    skipped_of_libexec: u32,
}

impl<'c> Search<'c> {
    pub(crate) fn new(command: &'c Command<'c>, choices: Choices) -> Self {
        let path = command.path_variable();
        Self {
            command,
            choices,
            path,
            skipped: skipped(path),
            skipped_of_libexec: skipped(LIBEXEC.as_bytes()),
        }
    }

    /// Looks for a requirement, and sets `path` to its path.
    pub(crate) fn find(&self, row: &Requirement, path: &mut Text<PATH>) -> Found {
        if let Some(choice) = choice(row.unless & self.choices) {
            return Found::Needless(choice.spelled);
        }
        if row.only & self.choices != row.only {
            return Found::Needless(NOT_CHOSEN);
        }
        let found = match row.place {
            Place::Daemon => self.daemon(path),
            Place::Path => self.program("", row.name, path),
            Place::Libexec => self.program(LIBEXEC, row.name, path),
            Place::BesideContainerd => self.program("", row.name, path).or_else(|fault| {
                self.program("", "containerd", path)?;
                let directory = real_directory(path.as_c_str());
                in_directories(directory.as_bytes(), 0, row.name, path).map_err(|_| fault)
            }),
            Place::Directories(list) => in_directories(list.as_bytes(), 0, row.name, path),
            Place::Certificates(files) => self.certificates(files, path),
        };
        match found {
            Ok(()) => Found::There,
            Err(fault) => match (row.kernel.lacks(), fault) {
                (Some(why), _) => Found::Needless(why),
                (None, Fault::Nothing) => Found::Not(MISSING),
                (None, Fault::Of(fault)) => Found::Not(fault),
                (None, Fault::Refused(errno)) => Found::Unknown(reason(errno)),
            },
        }
    }

    fn daemon(&self, path: &mut Text<PATH>) -> Outcome {
        *path = self.command.path();
        if path.as_bytes().is_empty() {
            return Err(Fault::Nothing);
        }
        Ok(())
    }

    /// In PATH, or in [`LIBEXEC`] before if that is given.
    fn program(&self, libexec: &str, name: &str, path: &mut Text<PATH>) -> Outcome {
        let chosen = self.command.first_directory;
        let places = [
            (libexec.as_bytes(), self.skipped_of_libexec),
            (chosen.as_bytes(), 0),
            (self.path, self.skipped),
        ];
        let mut outcome = Err(Fault::Nothing);
        for (directories, skipped) in places {
            match in_directories(directories, skipped, name, path) {
                Ok(()) => return Ok(()),
                Err(Fault::Nothing) => {}
                fault => outcome = fault,
            }
        }
        outcome
    }

    /// Go's crypto/x509 uses the first file that it can read.
    fn certificates(&self, files: &'static str, path: &mut Text<PATH>) -> Outcome {
        let own = self.command.variable(b"SSL_CERT_FILE").unwrap_or_default();
        let files = if own.is_empty() {
            files.as_bytes()
        } else {
            own
        };
        let mut outcome = Err(Fault::Nothing);
        for file in fields(files, b':') {
            if path.set(&[file]).is_err() {
                return Err(Fault::Refused(Errno::NAMETOOLONG));
            }
            match fault_of_certificates(path.as_c_str()).if_exists() {
                Ok(None) => {}
                Ok(Some("")) => return Ok(()),
                Ok(Some(fault)) => return Err(Fault::Of(fault)),
                Err(Errno::ISDIR) => outcome = Err(Fault::Of("is a directory")),
                Err(Errno::BADFD) => outcome = Err(Fault::Of("is not a regular file")),
                Err(errno) => outcome = Err(Fault::Refused(errno)),
            }
        }
        outcome
    }
}

/// The directories that are missing, or the same as an earlier one, as bits.
fn skipped(directories: &[u8]) -> u32 {
    let mut skipped = 0;
    let mut seen: Vec<(u64, u64), CHECKED> = Vec::new();
    for (number, directory) in fields(directories, b':').take(CHECKED).enumerate() {
        let there = fs::stat(fs::path(&[directory]).as_c_str())
            .map(|directory| (directory.st_dev, directory.st_ino));
        match there.if_exists() {
            Ok(Some(directory)) if !seen.contains(&directory) => _ = seen.push(directory),
            Ok(_) => skipped |= 1 << number,
            // The search in it will report the error.
            Err(_) => {}
        }
    }
    skipped
}

/// The first of these options, in the order of the table.
pub(crate) fn choice(choices: Choices) -> Option<&'static Choice> {
    CHOICES.iter().find(|choice| choice.bit & choices != 0)
}

impl Requirement {
    /// What fails without it.
    pub(crate) fn lost(&self) -> &'static str {
        self.texts.get(0)
    }

    /// The Debian package to install.
    pub(crate) fn package(&self) -> &'static str {
        self.texts.get(1)
    }

    /// The options that make it unnecessary.
    pub(crate) fn choices(&self) -> impl Iterator<Item = &'static Choice> {
        let unless = self.unless;
        CHOICES
            .iter()
            .filter(move |choice| choice.bit & unless != 0)
    }
}

#[cfg(feature = "check")]
impl Requirement {
    /// The Cargo feature of the row; empty if the row is always compiled in.
    pub(crate) fn feature(&self) -> &'static str {
        self.texts.get(2)
    }

    pub(crate) fn needed_by(&self) -> &'static str {
        self.texts.get(3)
    }

    /// The error of the engine, its client or git without it.
    pub(crate) fn error(&self) -> &'static str {
        self.texts.get(4)
    }

    /// The original's question: can it be ignored?
    pub(crate) fn ignorable(&self) -> &'static str {
        self.texts.get(5)
    }

    /// Where it is searched for, in two parts.
    pub(crate) fn places(&self) -> [&'static str; 2] {
        match self.place {
            Place::Daemon | Place::Path => ["", "PATH"],
            Place::Libexec => [LIBEXEC, "PATH"],
            Place::BesideContainerd => ["PATH", "beside containerd"],
            Place::Directories(list) | Place::Certificates(list) => [list, ""],
        }
    }
}

impl Kernel {
    /// What the kernel lacks, if that makes the requirement unnecessary.
    fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            #[cfg(feature = "modprobe")]
            Self::Modules => {
                let there = fs::exists(rustix::fs::CWD, c"/proc/modules");
                (there == Ok(false)).then_some("the kernel loads no modules")
            }
            Self::AppArmor => {
                let mut buffer = [0; 8];
                let enabled =
                    fs::read_small(c"/sys/module/apparmor/parameters/enabled", &mut buffer);
                let has_it = matches!(enabled.if_exists(), Ok(Some(b"Y\n")) | Err(_));
                (!has_it).then_some("the kernel has no AppArmor, or has it off")
            }
        }
    }
}

/// Like Go's LookPath for root: a regular file with an execute bit.
fn in_directories(directories: &[u8], skipped: u32, name: &str, path: &mut Text<PATH>) -> Outcome {
    let mut outcome = Err(Fault::Nothing);
    for (number, directory) in fields(directories, b':').enumerate() {
        if directory.is_empty() || (number < CHECKED && skipped & (1 << number) != 0) {
            continue;
        }
        if path.set(&[directory, b"/", name.as_bytes()]).is_err() {
            continue;
        }
        let stat = match fs::stat(path.as_c_str()).if_exists() {
            Ok(Some(stat)) => stat,
            // The kernel has no file at a path that is too long.
            Ok(None) | Err(Errno::NAMETOOLONG) => continue,
            Err(errno) => {
                outcome = Err(Fault::Refused(errno));
                continue;
            }
        };
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_file && stat.st_mode & 0o111 != 0 {
            return Ok(());
        }
        outcome = Err(CANNOT);
    }
    outcome
}

/// If PATH has no shim, containerd uses the shim in the directory of its own file, with links resolved.
fn real_directory(program: &CStr) -> Text<PATH> {
    let mut directory = fs::real_path(program).unwrap_or(Text::new());
    let slash = directory.as_bytes().iter().rposition(|byte| *byte == b'/');
    directory.cut(slash.unwrap_or(0));
    directory
}

/// What is wrong with a bundle of certificates; empty if it begins with a certificate after its comments.
fn fault_of_certificates(path: &CStr) -> Result<&'static str, Errno> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let mut buffer = [0; 4096];
    let beginning = fs::read_beginning(path, &mut buffer)?;
    let begins = fields(beginning, b'\n').any(|line| line.trim_ascii_end() == BEGIN);
    Ok(match beginning.len() {
        0 => "is empty",
        _ if begins => "",
        _ => "does not begin with a certificate",
    })
}
