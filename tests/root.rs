//! The images: root directories below CARGO_TARGET_TMPDIR, with the program and its stand-ins.

use crate::{
    running::Start,
    util::{Before, Namespaces, program},
};
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// A FIFO in each root: the stand-in for the daemon writes a byte to it when it has started.
pub(crate) const STARTED: &str = "/started";

/// The programs that the check at boot looks for, in Debian's places, except the daemon and modprobe. Some builds skip some.
pub(crate) const PROGRAMS: &[&str] = &[
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/sbin/runc",
    "/usr/bin/docker-proxy",
    "/usr/sbin/iptables",
    "/usr/sbin/ip6tables",
    "/usr/libexec/docker/docker-init",
    "/usr/bin/ps",
    "/usr/bin/xz",
    "/usr/bin/git",
    "/usr/lib/git-core/git-submodule",
    "/usr/bin/ssh",
    "/usr/sbin/apparmor_parser",
];
pub(crate) const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A root directory below CARGO_TARGET_TMPDIR, removed when the test ends.
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    /// An empty root.
    pub(crate) fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("root-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// The smallest image: dockerlaunch, a stand-in for dockerd with its libraries, and everything that the check looks for.
    pub(crate) fn new() -> Self {
        let root = Self::bare();
        for program in PROGRAMS {
            root.file(program, "").mode(program, 0o755);
        }
        root.file(CERTIFICATES, "-----BEGIN CERTIFICATE-----\n");
        root
    }

    /// The same without the programs that dockerd needs.
    pub(crate) fn bare() -> Self {
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

    /// The links through which a stand-in finds its loader if it runs before the launch has made them.
    pub(crate) fn loader(&self) -> &Self {
        self.link("/lib64", "usr/lib64").link("/lib", "usr/lib")
    }

    /// A shell as a stand-in, with what it needs before the launch.
    pub(crate) fn shell(&self) -> &Self {
        self.stand_in("/usr/bin/sh")
            .loader()
            .link("/bin", "usr/bin")
            .file("/dev/null", "")
            .directory("/proc")
    }

    /// Replaces the program under test by another.
    pub(crate) fn program(&self, program: &Path) -> &Self {
        self.copy(program, "/usr/bin/dockerlaunch");
        self
    }

    /// Copies by a hard link if possible: the test binary is large.
    fn copy(&self, from: &Path, place: &str) {
        self.directory(Path::new(place).parent().unwrap().to_str().unwrap());
        let to = self.path(place);
        let _ = fs::remove_file(&to);
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

    pub(crate) fn namespaces(&self) -> Namespaces {
        let beside = |extension| self.path.with_extension(extension);
        Namespaces {
            root: self.path.clone(),
            stdout: beside("stdout"),
            stderr: beside("stderr"),
            before: Vec::new(),
            unprivileged: false,
            as_child: false,
            own_cgroup: None,
            faults: Vec::new(),
        }
    }

    /// As the machine's PID 1, with nothing mounted; it becomes the daemon. It uses cgroup v2, because a launch creates nothing
    /// there; tests of cgroups choose themselves.
    pub(crate) fn machine(&self) -> Start<'_> {
        self.start()
            .variable("DOCKER_LAUNCH_REAP", "false")
            .variable("DOCKER_LAUNCH_AS", "machine")
            .variable("DOCKER_LAUNCH_CGROUP", "v2")
    }

    /// As PID 1 of a container, with the mounts of container engines. It sees no module of the machine's kernel, and no AppArmor.
    pub(crate) fn container(&self) -> Start<'_> {
        for directory in ["proc", "sys", "dev", "run", "etc", "tmp"] {
            self.directory(directory);
        }
        let mut start = self
            .start()
            .before(Before::mount("proc", "/proc"))
            .before(Before::mount("sysfs", "/sys"))
            .without_modules();
        // A tmpfs with device nodes, as runc makes it; the machine's own devtmpfs is left alone.
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
        start.foreign_cgroups()
    }

    /// With nothing but its arguments.
    pub(crate) fn start(&self) -> Start<'_> {
        Start {
            root: self,
            words: Vec::new(),
            variables: Vec::new(),
            program: "/usr/bin/dockerlaunch",
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
            // Other roots share the test binary, and every run uses the FIFO: their times change.
            let shared = meta.nlink() > 1 && meta.is_file() || meta.file_type().is_fifo();
            let changed = if shared {
                (0, 0)
            } else {
                (meta.ctime(), meta.ctime_nsec())
            };
            let text = format!(
                "{:o} {}:{} {changed:?} {} {}",
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

/// The libraries that this process has mapped.
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
