//! The machine's cgroup v2, in which tests make their cgroups. A fresh boot enables no controller at its root, a machine in use
//! enables some: the tests enable what they need, and the last test disables it again. Every test of every run on the machine
//! shares this one hierarchy, so they coordinate by flock(2) on its directory.

use crate::{
    nesting,
    util::{LIMIT, Needs, tests},
};
use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

tests![Needs::BareHierarchy;
    g1_tests_pass_without_enabled_controllers,
    g1_tests_pass_with_enabled_controllers,
    g1_the_last_test_disables_what_the_tests_enabled,
];

/// The cgroups of the tests have this prefix, so that a later run can remove what an earlier one left.
const PREFIX: &str = "dockerlaunch-host-test-";
/// An empty cgroup with this name means: the tests have enabled the controller whose name follows.
const TURNED_ON: &str = "dockerlaunch-host-test-turned-on-";

type Hold = fn(&File) -> Result<(), TryLockError>;

/// Where cgroup v2 is mounted, and this process's own cgroup in it.
pub(crate) struct Hierarchy {
    pub(crate) top: PathBuf,
    pub(crate) own: PathBuf,
}

impl Hierarchy {
    /// Mounting it again could change its options for the whole machine.
    pub(crate) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let top = PathBuf::from(line.split(' ').nth(4)?);
        let own = top.join(own);
        own.is_dir().then_some(Self { top, own })
    }

    /// The controllers that can be enabled at the top.
    pub(crate) fn controllers(&self) -> String {
        read(&self.top, "cgroup.controllers")
    }

    /// Whether cgroups of the tests can have a controller: in the real root cgroup any that exists, in a container's only one
    /// that is enabled already, because processes in that cgroup keep the kernel from enabling more.
    pub(crate) fn has_controllers(&self) -> bool {
        let is_root = !self.top.join("cgroup.type").exists();
        let can = is_root && !self.controllers().trim().is_empty();
        can || !self.enabled().trim().is_empty()
    }

    /// The controllers that are enabled.
    pub(crate) fn enabled(&self) -> String {
        read(&self.top, "cgroup.subtree_control")
    }

    /// The name of a cgroup for the tests of this process.
    pub(crate) fn name() -> String {
        format!("{PREFIX}{}", std::process::id())
    }

    /// Whether it has no cgroups but the tests': then nobody loses a limit when a controller is disabled.
    pub(crate) fn is_bare(&self) -> bool {
        let ours = |name: &str| name.starts_with("dockerlaunch-");
        self.cgroups().iter().all(|name| ours(name))
    }

    /// The cgroups of the tests.
    fn ours(&self) -> Vec<String> {
        let mut names = self.cgroups();
        names.retain(|name| name.starts_with(PREFIX));
        names
    }

    fn cgroups(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.top).unwrap().map(Result::unwrap);
        let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let names = directories.map(|entry| entry.file_name().into_string().unwrap());
        names.collect()
    }

    /// While this lock lives, only a holder of the exclusive lock changes which controllers are enabled.
    fn lock(&self, how: Hold) -> File {
        let top = File::open(&self.top).unwrap();
        let limit = Instant::now() + Duration::from_secs(5 * LIMIT.cast_unsigned());
        while let Err(error) = how(&top) {
            assert!(matches!(error, TryLockError::WouldBlock), "{error}");
            assert!(Instant::now() < limit, "another run holds {top:?}");
            sleep(Duration::from_millis(5));
        }
        top
    }

    /// Writes `+` or `-` for each. The cgroup of a test that is ending may keep a controller busy for a moment.
    fn switch(&self, sign: char, controllers: &str) {
        let file = self.top.join("cgroup.subtree_control");
        let limit = Instant::now() + Duration::from_secs(LIMIT.cast_unsigned());
        for controller in controllers.split_whitespace() {
            while let Err(error) = fs::write(&file, format!("{sign}{controller}")) {
                let busy = error.raw_os_error() == Some(nix::libc::EBUSY);
                assert!(
                    busy && Instant::now() < limit,
                    "{sign}{controller}: {error}"
                );
                sleep(Duration::from_millis(5));
            }
        }
    }

    /// Enables exactly these.
    fn enable(&self, controllers: &str) {
        self.switch('-', &self.enabled());
        self.switch('+', controllers);
    }

    /// Removes what earlier runs have left, and disables what the tests have enabled.
    fn clear(&self) {
        let (marks, others): (Vec<_>, Vec<_>) = self
            .ours()
            .into_iter()
            .partition(|name| name.starts_with(TURNED_ON));
        for name in others {
            remove(&self.top.join(name));
        }
        for name in marks {
            self.switch('-', &name[TURNED_ON.len()..]);
            fs::remove_dir(self.top.join(name)).unwrap();
        }
    }
}

fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap()
}

/// Removes a cgroup with those below it.
pub(crate) fn remove(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            remove(&entry.path());
        }
    }
    fs::remove_dir(cgroup).unwrap();
}

/// While it lives, at least one controller is enabled at the top.
pub(crate) struct EnabledController {
    hierarchy: Hierarchy,
    /// None: the caller has locked the hierarchy.
    lock: Option<File>,
}

impl EnabledController {
    pub(crate) fn new() -> Self {
        let hierarchy = Hierarchy::find().unwrap();
        // This needs the exclusive lock: otherwise two tests could both enable a controller, and both disable it.
        let lock = hierarchy.lock(File::try_lock_shared);
        if hierarchy.enabled().trim().is_empty() {
            drop(lock);
            let lock = hierarchy.lock(File::try_lock);
            turn_on(&hierarchy);
            drop(lock);
            return Self::new();
        }
        Self {
            hierarchy,
            lock: Some(lock),
        }
    }

    /// The same if the caller has locked it.
    fn alone() -> Self {
        let hierarchy = Hierarchy::find().unwrap();
        turn_on(&hierarchy);
        Self {
            hierarchy,
            lock: None,
        }
    }
}

fn turn_on(hierarchy: &Hierarchy) {
    if hierarchy.enabled().trim().is_empty() {
        let controllers = hierarchy.controllers();
        let controller = controllers.split_whitespace().next().unwrap();
        fs::create_dir(hierarchy.top.join(format!("{TURNED_ON}{controller}"))).unwrap();
        hierarchy.switch('+', controller);
    }
}

impl Drop for EnabledController {
    fn drop(&mut self) {
        let alone = match &self.lock {
            None => true,
            Some(lock) => lock.try_lock().is_ok(),
        };
        if alone {
            at_the_end(|| self.hierarchy.clear());
        }
    }
}

/// The machine's state, which is restored when the test ends, even by a panic.
struct Found {
    hierarchy: Hierarchy,
    enabled: String,
    _lock: File,
}

impl Found {
    fn take() -> Self {
        let hierarchy = Hierarchy::find().unwrap();
        let lock = hierarchy.lock(File::try_lock);
        hierarchy.clear();
        Self {
            enabled: hierarchy.enabled(),
            hierarchy,
            _lock: lock,
        }
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        at_the_end(|| self.hierarchy.enable(&self.enabled));
    }
}

/// If the test has failed, its own message matters more.
fn at_the_end(clean_up: impl FnOnce() + std::panic::UnwindSafe) {
    if std::thread::panicking() {
        let _ = std::panic::catch_unwind(clean_up);
    } else {
        clean_up();
    }
}

/// The tests that need a controller pass with these enabled, and leave them unchanged.
fn assert_pass_with(controllers: &str) {
    let found = Found::take();
    found.hierarchy.enable(controllers);
    let before = found.hierarchy.enabled();
    assert_eq!(before.trim(), controllers.trim());
    for test in nesting::QUICK {
        let enabled = EnabledController::alone();
        test();
        drop(enabled);
        assert_eq!(found.hierarchy.enabled(), before);
        assert_eq!(found.hierarchy.ours(), [""; 0]);
    }
}

fn g1_tests_pass_without_enabled_controllers() {
    assert_pass_with("");
}

fn g1_tests_pass_with_enabled_controllers() {
    assert_pass_with(&Hierarchy::find().unwrap().controllers());
}

/// Whichever of two tests ends first, and whatever a killed run has left.
fn g1_the_last_test_disables_what_the_tests_enabled() {
    let found = Found::take();
    let hierarchy = &found.hierarchy;
    hierarchy.enable("");
    // A killed run leaves its cgroup and its mark.
    let left = hierarchy.top.join(format!("{PREFIX}left"));
    fs::create_dir_all(left.join("container")).unwrap();
    turn_on(hierarchy);
    let on = hierarchy.enabled();
    assert_ne!(on.trim(), "");
    let mut control = File::options()
        .write(true)
        .open(left.join("cgroup.subtree_control"))
        .unwrap();
    control
        .write_all(format!("+{}", on.trim()).as_bytes())
        .unwrap();
    drop(EnabledController::alone());
    assert_eq!(hierarchy.enabled().trim(), "");
    assert_eq!(hierarchy.ours(), [""; 0]);
}
