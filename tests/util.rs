//! Starts the program as PID 1 of fresh namespaces with a root of its own, and looks at what became of it from outside,
//! through /proc/PID: so nothing has to be reported, and nothing is looked at that only a report says.

use crate::running::Start;
use libtest_mimic::{Completion, Failed, Trial};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// How long anything may take that a test waits for, in seconds: each takes milliseconds.
pub(crate) const LIMIT: i64 = 20;
/// A FIFO in each root: the stand-in daemon writes a byte when it has started.
pub(crate) const STARTED: &str = "/started";
/// The capability that mounting needs.
pub(crate) const SYS_ADMIN: u32 = 21;

/// The program under test: the musl release program where the harness says so.
pub(crate) fn program() -> PathBuf {
    env::var_os("DOCKERLAUNCH_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_dockerlaunch").into(), PathBuf::from)
}

/// What a test cannot run without.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    /// Root with CAP_SYS_ADMIN, to make namespaces and mount devtmpfs in them.
    Root,
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
        Needs::Root if !can(false) => Some("needs root with CAP_SYS_ADMIN, to make namespaces"),
        Needs::UserNamespaces if !can(true) => Some("this kernel lets no user make namespaces"),
        _ => None,
    }
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
    /// Another process, started under a name of the stand-ins'. The first is PID 2.
    Run {
        program: String,
        name: String,
    },
    DropCapability(u32),
}

impl Before {
    /// Done while the machine's own files can be seen.
    pub(crate) fn is_outside(&self) -> bool {
        matches!(
            self,
            Self::Mount { .. }
                | Self::Bind { .. }
                | Self::ReadOnly { .. }
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

/// A root directory below CARGO_TARGET_TMPDIR, removed when the test ends.
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    /// Without anything in it.
    pub(crate) fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("root-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// The smallest image: dockerlaunch, and a stand-in for dockerd with the libraries it needs.
    pub(crate) fn new() -> Self {
        let root = Self::empty();
        root.copy(&program(), "/usr/bin/dockerlaunch");
        root.stand_in("/usr/bin/dockerd");
        for library in libraries() {
            root.copy(library, &usr_merged(library));
        }
        let interpreter = "/lib64/ld-linux-x86-64.so.2";
        root.copy(
            &fs::canonicalize(interpreter).unwrap(),
            &format!("/usr{interpreter}"),
        );
        nix::unistd::mkfifo(&root.path(STARTED), nix::sys::stat::Mode::S_IRWXU).unwrap();
        root
    }

    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.path.join(place.trim_start_matches('/'))
    }

    pub(crate) fn directory(&self, place: &str) -> &Self {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(self.path(place))
            .unwrap();
        self
    }

    pub(crate) fn file(&self, place: &str, contents: &str) -> &Self {
        self.directory(Path::new(place).parent().unwrap().to_str().unwrap());
        fs::write(self.path(place), contents).unwrap();
        self.mode(place, 0o644)
    }

    pub(crate) fn mode(&self, place: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path(place), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn link(&self, place: &str, target: &str) -> &Self {
        self.directory(Path::new(place).parent().unwrap().to_str().unwrap());
        symlink(target, self.path(place)).unwrap();
        self
    }

    /// The test binary, under the name of one of its stand-ins.
    pub(crate) fn stand_in(&self, place: &str) -> &Self {
        self.copy(&env::current_exe().unwrap(), place);
        self
    }

    /// A hard link where that can be: the test binary is large.
    fn copy(&self, from: &Path, place: &str) {
        self.directory(Path::new(place).parent().unwrap().to_str().unwrap());
        let to = self.path(place);
        fs::hard_link(from, &to)
            .or_else(|_| fs::copy(from, &to).map(drop))
            .unwrap();
    }

    pub(crate) fn read(&self, place: &str) -> String {
        fs::read_to_string(self.path(place)).unwrap()
    }

    /// Everything in it: type and mode, owner, time of change, size, and the target of a link.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, String> {
        tree(&self.path)
    }

    fn namespaces(&self) -> Namespaces {
        let beside = |extension| self.path.with_extension(extension);
        Namespaces {
            root: self.path.clone(),
            stdout: beside("stdout"),
            stderr: beside("stderr"),
            before: Vec::new(),
            unprivileged: false,
            as_child: false,
        }
    }

    /// As the machine's PID 1, with nothing mounted. cgroup v2, where cgroups are not the point: nothing is created then.
    pub(crate) fn machine(&self) -> Start<'_> {
        self.start()
            .variable("DOCKER_LAUNCH_AS", "machine")
            .variable("DOCKER_LAUNCH_CGROUP", "v2")
    }

    /// As PID 1 of a container, with what container engines mount.
    pub(crate) fn container(&self) -> Start<'_> {
        for directory in ["proc", "sys", "dev", "run", "etc", "tmp"] {
            self.directory(directory);
        }
        let mut start = self
            .start()
            .before(Before::mount("proc", "/proc"))
            .before(Before::mount("sysfs", "/sys"));
        // A tmpfs with devices, as runc makes it; the machine's own devtmpfs is left alone.
        start = start.before(Before::mount("tmpfs", "/dev"));
        for device in ["null", "zero", "urandom", "tty"] {
            let at = format!("/dev/{device}");
            start = start
                .before(Before::File {
                    at: at.clone(),
                    contents: String::new(),
                })
                .before(Before::bind(&at, &at));
        }
        // Its root is the machine's: nothing is created in a read-only one.
        start
            .before(Before::mount("cgroup2", "/sys/fs/cgroup"))
            .before(Before::ReadOnly {
                at: "/sys/fs/cgroup".into(),
            })
    }

    /// With nothing but its words.
    pub(crate) fn start(&self) -> Start<'_> {
        Start {
            root: self,
            words: Vec::new(),
            variables: Vec::new(),
            program: "/usr/bin/dockerlaunch".into(),
            namespaces: self.namespaces(),
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        for extension in ["stdout", "stderr"] {
            let _ = fs::remove_file(self.path.with_extension(extension));
        }
    }
}

pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let target = fs::read_link(&path).unwrap_or_default();
            let (seconds, nanoseconds) = (meta.ctime(), meta.ctime_nsec());
            let text = format!(
                "{:o} {}:{} {seconds}.{nanoseconds} {} {}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.size(),
                target.display()
            );
            if meta.is_dir() {
                directories.push(path.clone());
            }
            found.insert(path.strip_prefix(root).unwrap().to_path_buf(), text);
        }
    }
    found
}

/// The libraries that this process runs with, as the kernel has them mapped.
fn libraries() -> &'static [PathBuf] {
    static LIBRARIES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut paths: Vec<_> = maps
            .lines()
            .filter_map(|line| line.split_ascii_whitespace().nth(5))
            .filter(|path| path.contains(".so") && !path.contains("/ld-linux"))
            .map(PathBuf::from)
            .collect();
        paths.sort();
        paths.dedup();
        paths
    })
}

fn usr_merged(path: &Path) -> String {
    let path = path.to_str().unwrap();
    if path.starts_with("/usr/") {
        path.into()
    } else {
        format!("/usr{path}")
    }
}
