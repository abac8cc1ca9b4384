//! What tests share: what a test needs to run, and what it asks of the helpers that make namespaces.

use crate::{
    faults::Fault,
    hierarchy::{EnabledController, Hierarchy},
    nesting::OwnCgroup,
};
use libtest_mimic::{Completion, Failed, Trial};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// How long any wait of a test may take, in seconds. Most take milliseconds, a wait that is tested itself up to 30 s.
pub(crate) const LIMIT: i64 = 60;
/// mount(2) needs this capability.
pub(crate) const SYS_ADMIN: u32 = 21;

/// The program under test: the musl release program if the harness names it.
pub(crate) fn program() -> PathBuf {
    env::var_os("DOCKERLAUNCH_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_dockerlaunch").into(), PathBuf::from)
}

/// The Cargo features that the program was built with, according to its --version.
pub(crate) fn features() -> Vec<&'static str> {
    static VERSION: OnceLock<String> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let output = Command::new(program()).arg("--version").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let features = version.split_once("\nfeatures: ").unwrap().1.trim();
    features.split(' ').filter(|name| *name != "none").collect()
}

pub(crate) fn has_feature(name: &str) -> bool {
    features().contains(&name)
}

/// What a test needs to run.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    /// Root with CAP_SYS_ADMIN, to make namespaces and mount devtmpfs in them.
    Root,
    /// Root, and a program with these Cargo features.
    Features(&'static [&'static str]),
    /// Root, and a program that configures the network.
    Network,
    /// The same, and busybox.
    Busybox,
    /// The same, and a kernel with IPv6.
    Ipv6,
    /// Root, and a program that supervises.
    Supervise,
    /// Root, and a program that chooses between the two variants of iptables.
    Iptables,
    /// Root, and a program that loads modules.
    Modprobe,
    /// Root, and a program that has the whole table of requirements and prints it.
    Check,
    /// Root, a program that mounts a state disk, and the tools that make ext4 and partitions.
    State,
    /// The same, and the tools that make other file systems.
    FileSystems,
    /// Root, and cgroup v2 with a controller that new cgroups can get.
    Controllers,
    /// The same, and no cgroups of others in it.
    BareHierarchy,
    /// Root, and v1 hierarchies on the machine, which a cgroup namespace may mount.
    LegacyCgroups,
    /// The same, and a program that checks.
    LegacyCheck,
    /// Root, and a machine with the controller memory in cgroup v1.
    MemoryOnlyInV1,
    /// Root, a program that checks, and FUSE.
    Fuse,
    /// A kernel that lets a user make namespaces.
    UserNamespaces,
    /// The symbols of a program that was named from outside.
    Symbols,
    /// The features of a program that was named from outside.
    KnownFeatures,
}

/// `tests![Needs::Root; one, two; Needs::State => three]` defines `tests()`: a trial for each function, named after its file and
/// itself.
macro_rules! tests {
    ($needs:expr; $($test:ident),+ $(,)? $(; $more:expr => $($other:ident),+ $(,)?)*) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![
                $($crate::util::trial(concat!(module_path!(), "::", stringify!($test)), $needs, $test),)+
                $($($crate::util::trial(concat!(module_path!(), "::", stringify!($other)), $more, $other),)+)*
            ]
        }
    };
}
pub(crate) use tests;

/// Whether a test that cannot run has failed. The harness reads these variables in the same way.
fn is_strict() -> bool {
    ["CI", "DOCKERLAUNCH_NO_SKIP"]
        .iter()
        .any(|name| env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false")))
}

pub(crate) fn trial(name: &str, needs: Needs, test: fn()) -> Trial {
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    Trial::ignorable_test(name, move || match lacking(needs) {
        None => {
            let _controllers = matches!(needs, Needs::Controllers).then(EnabledController::new);
            test();
            Ok(Completion::Completed)
        }
        // A program without a feature is not an error.
        Some(Lack::OfProgram(reason)) => Ok(Completion::ignored_with(reason)),
        Some(Lack::OfMachine(reason)) if is_strict() => Err(Failed::from(format!(
            "cannot run, and may not be skipped here: {reason}"
        ))),
        Some(Lack::OfMachine(reason)) => Ok(Completion::ignored_with(reason)),
    })
}

/// The features for all rows of the table of requirements, and --check to print it.
const WHOLE_TABLE: &[&str] = &["check", "git", "iptables", "modprobe", "xz"];

/// Why a test cannot run here.
pub(crate) enum Lack {
    OfProgram(String),
    OfMachine(&'static str),
}

fn lacking(needs: Needs) -> Option<Lack> {
    let names = |names: &[&str]| format!("`{}`", names.join("`, `"));
    let machine = |lacks: bool, reason| lacks.then_some(Lack::OfMachine(reason));
    let programs = |names: &[&str], reason| machine(lacks(names), reason);
    let features = |wanted: &[&str]| {
        let lacks = !wanted.iter().all(|name| has_feature(name));
        lacks.then(|| Lack::OfProgram(format!("needs the Cargo features {}", names(wanted))))
    };
    let root = || {
        let reason = "needs root with CAP_SYS_ADMIN, to make namespaces";
        machine(!may(SYS_ADMIN), reason)
    };
    match needs {
        Needs::Nothing => None,
        Needs::Root => root(),
        Needs::Features(wanted) => features(wanted).or_else(root),
        Needs::Network => lacking(Needs::Features(&["network"])),
        Needs::Busybox => lacking(Needs::Network)
            .or_else(|| programs(&["busybox"], "needs busybox")),
        Needs::Ipv6 => lacking(Needs::Network).or_else(|| {
            let lacks = !Path::new("/proc/net/if_inet6").exists();
            machine(lacks, "needs a kernel with IPv6")
        }),
        Needs::Supervise => lacking(Needs::Features(&["supervise"])),
        Needs::Iptables => lacking(Needs::Features(&["iptables"])),
        Needs::Modprobe => lacking(Needs::Features(&["modprobe"])),
        Needs::Check => lacking(Needs::Features(WHOLE_TABLE)),
        Needs::State => features(&["state"]).or_else(root).or_else(|| {
            let reason = "needs mkfs.ext4 of e2fsprogs and sfdisk of fdisk";
            programs(&["mkfs.ext4", "sfdisk"], reason)
        }),
        Needs::FileSystems => features(&["state"]).or_else(root).or_else(|| {
            let reason = "needs xfsprogs, btrfs-progs, erofs-utils and squashfs-tools";
            programs(&["mkfs.xfs", "mkfs.btrfs", "mkfs.erofs", "mksquashfs"], reason)
        }),
        Needs::Controllers => root().or_else(|| {
            let hierarchy = Hierarchy::find();
            let lacks = hierarchy.is_none_or(|found| !found.has_controllers());
            machine(lacks, "needs cgroup v2, mounted at its root, with a controller that nobody has taken to v1")
        }),
        Needs::BareHierarchy => lacking(Needs::Controllers).or_else(|| {
            let is_bare = Hierarchy::find().is_some_and(|found| found.is_bare());
            machine(!is_bare, "needs a cgroup v2 with nobody else's cgroups in it")
        }),
        Needs::LegacyCgroups => root().or_else(|| {
            let known = crate::cgroup_layouts::legacy_controllers();
            let has = |name: &&str| known.iter().any(|one| one == name);
            let lacks = !["devices", "memory", "name=systemd"].iter().all(has);
            machine(lacks, "needs the machine's cgroup v1 hierarchies devices, memory and name=systemd")
        }),
        Needs::LegacyCheck => lacking(Needs::Check).or_else(|| lacking(Needs::LegacyCgroups)),
        Needs::MemoryOnlyInV1 => root().or_else(|| {
            let known = crate::cgroup_layouts::legacy_controllers();
            let lacks = !known.iter().any(|one| one == "memory");
            machine(lacks, "needs a machine that has the controller memory in cgroup v1")
        }),
        Needs::Fuse => lacking(Needs::Check).or_else(|| {
            let lacks = !Path::new("/dev/fuse").exists();
            machine(lacks, "needs /dev/fuse")
        }),
        Needs::Symbols => machine(
            !crate::program::has_symbols(),
            "needs DOCKERLAUNCH_BIN_SYMBOLS: the program of DOCKERLAUNCH_BIN, with its symbols",
        ),
        Needs::KnownFeatures => machine(
            crate::features::expected().is_none(),
            "needs DOCKERLAUNCH_BIN_FEATURES: those of the program of DOCKERLAUNCH_BIN",
        ),
        Needs::UserNamespaces => machine(
            !lets_users_make_namespaces(),
            "this kernel lets no user make namespaces",
        ),
    }
}

/// Whether this process has the capability: with it, an error is a failure and not a lack of rights.
fn may(capability: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
    effective & 1 << capability != 0
}

/// According to the sysctls of the kernel, Debian and Ubuntu.
fn lets_users_make_namespaces() -> bool {
    let forbids = |name: &str, value: &str| {
        let said = fs::read_to_string(Path::new("/proc/sys").join(name));
        said.is_ok_and(|said| said.trim() == value)
    };
    let users = [
        "kernel/unprivileged_userns_clone",
        "user/max_user_namespaces",
    ];
    let restricted = "kernel/apparmor_restrict_unprivileged_userns";
    Path::new("/proc/self/ns/user").exists()
        && !users.iter().any(|name| forbids(name, "0"))
        && (may(SYS_ADMIN) || !forbids(restricted, "1"))
}

/// A program of the machine, also from the directories of root's programs.
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

/// What happens in the new namespaces before the program starts. Paths are paths in the root.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Before {
    Mount {
        kind: String,
        at: String,
        data: String,
    },
    /// From any path outside.
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
    /// A descriptor that the program inherits: the first free one from 3.
    Open {
        at: String,
    },
    Close(i32),
    /// The limits of open files.
    Limit {
        soft: u64,
        hard: u64,
    },
    /// A process of this program that only waits. The first one is PID 2.
    Sleeper {
        program: String,
    },
    /// The same with a root of its own.
    Stranger {
        program: String,
        root: String,
    },
    /// A complete launch as a container, with these settings, whose daemon ends immediately.
    Launch {
        variables: Vec<(String, String)>,
    },
    /// A sysctl, set once the namespaces exist.
    Setting {
        file: String,
        value: String,
    },
    /// The hardware address of an interface.
    Address {
        name: String,
        address: [u8; 6],
    },
    /// An Ethernet interface: a bridge, a veth, or another kind without settings of its own.
    Interface {
        name: String,
        kind: String,
    },
    DropCapability(u32),
    /// So many directories below a tmpfs, each bind-mounted onto itself.
    Mounts {
        at: String,
        count: usize,
    },
}

impl Before {
    /// Whether it happens while the machine's own files are still visible.
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

/// What a test asks of the helpers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Namespaces {
    pub(crate) root: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    pub(crate) before: Vec<Before>,
    /// With a user namespace in which the tester is root.
    pub(crate) unprivileged: bool,
    /// As PID 2, a child of PID 1.
    pub(crate) as_child: bool,
    /// With a cgroup of its own.
    pub(crate) own_cgroup: Option<OwnCgroup>,
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
