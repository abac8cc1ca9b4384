//! What tests share: what one cannot run without, and what the helpers are told that make namespaces.

use crate::{faults::Fault, root::Root};
use libtest_mimic::{Completion, Failed, Trial};
use serde::{Deserialize, Serialize};
use std::{
    env,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// How long anything may take that a test waits for, in seconds: most take milliseconds, a wait that is being tested up to 30 s.
pub(crate) const LIMIT: i64 = 60;
/// The capability that mounting needs.
pub(crate) const SYS_ADMIN: u32 = 21;

/// The program under test: the musl release program where the harness says so.
pub(crate) fn program() -> PathBuf {
    env::var_os("DOCKERLAUNCH_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_dockerlaunch").into(), PathBuf::from)
}

/// Whether the program was built with that Cargo feature: it tells them itself.
pub(crate) fn has_feature(name: &str) -> bool {
    static VERSION: OnceLock<String> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let output = Command::new(program()).arg("--version").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let features = version.split_once("\nfeatures: ").unwrap().1;
    features.split_whitespace().any(|feature| feature == name)
}

/// All rows of the table of requirements, and --check to print it.
fn has_whole_table() -> bool {
    ["check", "git", "iptables", "modprobe", "xz"]
        .into_iter()
        .all(has_feature)
}

/// What a test cannot run without.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    /// Root with CAP_SYS_ADMIN, to make namespaces and mount devtmpfs in them.
    Root,
    /// Root, and a program that configures the network.
    Network,
    /// Root, and a program that supervises.
    Supervise,
    /// The same, with programs and disks that it waits for during the launch.
    Waits,
    /// Root, and a program that mounts a state disk.
    State,
    /// The same, and what makes file systems.
    FileSystems,
    /// Root, and a program that chooses iptables' flavour.
    Iptables,
    /// Root, and a program that loads modules.
    Modprobe,
    /// Root, and a program that holds the whole table and prints it.
    Check,
    /// Root, and cgroup v2 to make cgroups in.
    UnifiedCgroups,
    /// A kernel that lets a user make namespaces.
    UserNamespaces,
}

/// `tests![Needs::Root; one, two]` defines `tests()`: a trial for each function, named after its file and itself.
macro_rules! tests {
    ($needs:expr; $($test:ident),+ $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![$($crate::util::trial(concat!(module_path!(), "::", stringify!($test)), $needs, $test)),+]
        }
    };
}
pub(crate) use tests;

pub(crate) fn trial(name: &str, needs: Needs, test: fn()) -> Trial {
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    Trial::ignorable_test(name, move || match lacking(needs) {
        None => {
            test();
            Ok(Completion::Completed)
        }
        Some(reason)
            if env::var_os("CI").is_some() || env::var_os("DOCKERLAUNCH_NO_SKIP").is_some() =>
        {
            Err(Failed::from(format!(
                "cannot run, and may not be skipped here: {reason}"
            )))
        }
        Some(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// Why a test cannot run here.
fn lacking(needs: Needs) -> Option<&'static str> {
    static NAMESPACES: [OnceLock<bool>; 2] = [OnceLock::new(), OnceLock::new()];
    let can = |unprivileged: bool| {
        *NAMESPACES[usize::from(unprivileged)].get_or_init(|| {
            let root = Root::empty();
            let setup = Namespaces {
                unprivileged,
                ..root.namespaces()
            };
            setup
                .helper()
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
    };
    match needs {
        Needs::Nothing => None,
        Needs::Network if !has_feature("network") => Some("needs the Cargo feature `network`"),
        Needs::Supervise if !has_feature("supervise") => {
            Some("needs the Cargo feature `supervise`")
        }
        Needs::Waits
            if !["modprobe", "state", "supervise"]
                .into_iter()
                .all(has_feature) =>
        {
            Some("needs the Cargo features `modprobe`, `state`, `supervise`")
        }
        Needs::State | Needs::FileSystems if !has_feature("state") => {
            Some("needs the Cargo feature `state`")
        }
        Needs::State if lacks(&["mkfs.ext4", "sfdisk"]) => {
            Some("needs mkfs.ext4 of e2fsprogs and sfdisk of fdisk")
        }
        Needs::FileSystems if lacks(&["mkfs.xfs", "mkfs.btrfs", "mkfs.erofs", "mksquashfs"]) => {
            Some("needs xfsprogs, btrfs-progs, erofs-utils and squashfs-tools")
        }
        Needs::Iptables if !has_feature("iptables") => Some("needs the Cargo feature `iptables`"),
        Needs::Modprobe if !has_feature("modprobe") => Some("needs the Cargo feature `modprobe`"),
        Needs::Check if !has_whole_table() => {
            Some("needs the Cargo features `check`, `git`, `iptables`, `modprobe`, `xz`")
        }
        Needs::UnifiedCgroups if crate::nesting::Cgroup::outer().is_none() => {
            Some("needs cgroup v2, mounted, with the tester's own cgroup in it")
        }
        Needs::UserNamespaces => (!can(true)).then_some("this kernel lets no user make namespaces"),
        _ => (!can(false)).then_some("needs root with CAP_SYS_ADMIN, to make namespaces"),
    }
}

/// A program of the machine, where root's programs are, too.
pub(crate) fn search(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

fn lacks(programs: &[&str]) -> bool {
    programs.iter().any(|program| search(program).is_none())
}

/// What is done in the new namespaces before the program starts. Places are paths in the root.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Before {
    Mount {
        kind: String,
        at: String,
        data: String,
    },
    /// From anywhere outside.
    Bind {
        from: PathBuf,
        at: String,
    },
    ReadOnly {
        at: String,
    },
    Directory {
        at: String,
    },
    Link {
        at: String,
        to: String,
    },
    File {
        at: String,
        contents: String,
    },
    Umask(u32),
    /// A descriptor that the program inherits, the first from 3 that is free.
    Open {
        at: String,
    },
    Close(i32),
    /// Of open files.
    Limit {
        soft: u64,
        hard: u64,
    },
    /// A process of this program that only waits. The first is PID 2.
    Sleeper {
        program: String,
    },
    /// The same, with a root of its own.
    Stranger {
        program: String,
        root: String,
    },
    /// A whole launch as a container, with these settings, whose daemon ends at once.
    Launch {
        variables: Vec<(String, String)>,
    },
    /// An Ethernet interface.
    Bridge {
        name: String,
    },
    DropCapability(u32),
    /// Where a file is expected.
    Fifo {
        at: String,
    },
}

impl Before {
    /// Done while the machine's own files can be seen.
    pub(crate) fn is_outside(&self) -> bool {
        matches!(
            self,
            Self::Mount { .. }
                | Self::Bind { .. }
                | Self::ReadOnly { .. }
                | Self::Directory { .. }
                | Self::Link { .. }
                | Self::File { .. }
        )
    }

    pub(crate) fn mount(kind: &str, at: &str) -> Self {
        Self::Mount {
            kind: kind.into(),
            at: at.into(),
            data: String::new(),
        }
    }

    pub(crate) fn bind(from: impl Into<PathBuf>, at: &str) -> Self {
        Self::Bind {
            from: from.into(),
            at: at.into(),
        }
    }
}

/// What the helpers are told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Namespaces {
    pub(crate) root: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    pub(crate) before: Vec<Before>,
    /// With a user namespace, in which the tester is root.
    pub(crate) unprivileged: bool,
    /// As PID 2, its parent being PID 1.
    pub(crate) as_child: bool,
    /// With a cgroup of its own, which the first helper leaves after so many milliseconds.
    pub(crate) own_cgroup: Option<u64>,
    /// System calls of the program that fail.
    pub(crate) faults: Vec<Fault>,
}

impl Namespaces {
    pub(crate) fn helper(&self) -> Command {
        let mut helper = Command::new("/proc/self/exe");
        helper
            .arg0("namespaces")
            .arg(serde_json::to_string(self).unwrap())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        helper
    }
}
