//! A program that will start as PID 1 of fresh namespaces, what a test sees of it while it runs, and how it ended. Tests look at
//! it from outside, through /proc/PID, so that they need not believe what it reports.

pub(crate) use crate::mountinfo::Mount;
use crate::{
    faults::Fault,
    modules,
    nesting::{self, OwnCgroup},
    root::{Root, STARTED},
    util::{Before, LIMIT, Namespaces},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    fs::{Mode, OFlags, open},
    process::{PidfdFlags, pidfd_open},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

/// How the program will be started.
pub(crate) struct Start<'r> {
    pub(crate) root: &'r Root,
    pub(crate) program: &'static str,
    pub(crate) words: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) namespaces: Namespaces,
}

impl<'r> Start<'r> {
    pub(crate) fn words<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words
            .extend(words.into_iter().map(|word| word.as_ref().into()));
        self
    }

    pub(crate) fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    pub(crate) fn before(mut self, before: Before) -> Self {
        self.namespaces.before.push(before);
        self
    }

    /// A file or directory from outside, read-only.
    pub(crate) fn bind_read_only(self, from: impl Into<PathBuf>, at: &str) -> Self {
        self.before(Before::bind(from, at))
            .before(Before::ReadOnly { at: at.into() })
    }

    /// Hides all modules that the machine has loaded, and AppArmor. A test can add what it wants to show.
    pub(crate) fn without_modules(self) -> Self {
        let start = self
            .before(Before::mount("tmpfs", "/sys/module"))
            .before(Before::mount("tmpfs", "/proc/sys/net"));
        if Path::new("/proc/modules").exists() {
            start.before(Before::bind("/dev/null", "/proc/modules"))
        } else {
            start
        }
    }

    /// Mounts the cgroups in which the tests run, read-only.
    pub(crate) fn foreign_cgroups(self) -> Self {
        let at = "/sys/fs/cgroup";
        self.before(Before::mount("cgroup2", at))
            .before(Before::ReadOnly { at: at.into() })
    }

    /// A cgroup v2 of its own, which is writable.
    pub(crate) fn own_cgroup(mut self, own: OwnCgroup) -> Self {
        let before = &mut self.namespaces.before;
        before
            .retain(|before| !matches!(before, Before::ReadOnly { at } if at == "/sys/fs/cgroup"));
        self.namespaces.own_cgroup = Some(own);
        self
    }

    /// The kernel command line.
    pub(crate) fn cmdline(self, words: &str) -> Self {
        const FILE: &str = "/kernel.cmdline";
        let file = self.root.directory("/proc").file(FILE, words).path(FILE);
        self.before(Before::mount("proc", "/proc"))
            .before(Before::bind(file, "/proc/cmdline"))
    }

    /// Makes a system call fail.
    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.namespaces.faults.push(fault);
        self
    }

    /// Starts another program of the root than dockerlaunch.
    pub(crate) fn program(mut self, program: &'static str) -> Self {
        self.program = program;
        self
    }

    /// In a user namespace of its own, without rights outside.
    pub(crate) fn unprivileged(mut self) -> Self {
        self.namespaces.unprivileged = true;
        self
    }

    /// As PID 2.
    pub(crate) fn not_pid_1(mut self) -> Self {
        self.namespaces.as_child = true;
        self
    }

    /// Waits until the daemon has started; a program that ends before that fails the test.
    pub(crate) fn running(self) -> Running<'r> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let started = open(
            self.root.path(STARTED).to_str().unwrap(),
            flags,
            Mode::empty(),
        )
        .unwrap();
        let running = self.started();
        // poll without events still reports a hang-up: the stand-in has opened, written and closed.
        let mut watched = [
            PollFd::new(&started, PollFlags::empty()),
            PollFd::new(&running.ends, PollFlags::IN),
        ];
        let limit = Timespec {
            tv_sec: LIMIT,
            tv_nsec: 0,
        };
        let events = poll(&mut watched, Some(&limit)).unwrap();
        assert!(events > 0, "no daemon after {LIMIT} s: {}", running.log());
        assert!(
            !watched[0].revents().is_empty(),
            "it ended without a daemon: {}",
            running.log()
        );
        running
    }

    /// Waits until it has ended.
    pub(crate) fn ended(self) -> Ended {
        self.started().ended()
    }

    /// Starts it and waits for nothing.
    pub(crate) fn started(self) -> Running<'r> {
        let mut helper = self
            .namespaces
            .helper()
            .arg(self.program)
            .args(self.words)
            .envs(self.variables)
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(helper.stdout.take().unwrap())
            .read_line(&mut pid)
            .unwrap();
        let id = rustix::process::Pid::from_raw(helper.id().cast_signed()).unwrap();
        let ends = pidfd_open(id, PidfdFlags::empty()).unwrap();
        Running {
            root: self.root,
            namespaces: self.namespaces,
            helper,
            ends,
            pid: pid
                .trim()
                .parse()
                .expect("the helper prints the pid of PID 1"),
        }
    }
}

/// A daemon that runs as PID 1, seen from the machine.
pub(crate) struct Running<'r> {
    root: &'r Root,
    namespaces: Namespaces,
    helper: Child,
    /// It becomes readable when the helper ends, which is when PID 1 has ended.
    ends: OwnedFd,
    pub(crate) pid: i32,
}

impl Running<'_> {
    /// Waits until PID 1 has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let limit = Timespec {
            tv_sec: LIMIT,
            tv_nsec: 0,
        };
        let events = poll(&mut [PollFd::new(&self.ends, PollFlags::IN)], Some(&limit)).unwrap();
        assert!(
            events > 0,
            "it has not ended after {LIMIT} s: {}",
            self.log()
        );
        Ended {
            status: self.helper.wait().unwrap().code().unwrap(),
            stdout: fs::read_to_string(&self.namespaces.stdout).unwrap(),
            stderr: self.log(),
        }
    }

    /// Sends a signal to PID 1 from outside, by its number, so that real-time signals work, too.
    pub(crate) fn signal(&self, signal: u32) {
        self::signal(self.pid, signal);
    }

    /// The children of PID 1, in order.
    pub(crate) fn children(&self) -> Vec<i32> {
        let text = self.proc(&format!("task/{}/children", self.pid));
        text.split_ascii_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + Duration::from_secs(LIMIT.cast_unsigned());
        while !condition(self) {
            assert!(Instant::now() < limit, "not {what}: {}", self.log());
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the log contains this.
    pub(crate) fn until_said(&self, words: &str) {
        self.until(words, |running| running.log().contains(words));
    }

    /// The log: what the program wrote to its standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.namespaces.stderr).unwrap()
    }

    /// A file of /proc/PID.
    pub(crate) fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap()
    }

    /// A path in its root, with everything that is mounted there.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid)).join(place.trim_start_matches('/'))
    }

    pub(crate) fn read(&self, place: &str) -> String {
        fs::read_to_string(self.path(place)).unwrap()
    }

    pub(crate) fn words(&self) -> Vec<String> {
        strings(&self.proc("cmdline"))
    }

    /// Its environment, sorted.
    pub(crate) fn environment(&self) -> Vec<String> {
        let mut variables = strings(&self.proc("environ"));
        variables.sort();
        variables
    }

    /// The numbers of its open descriptors and what they refer to, sorted.
    pub(crate) fn descriptors(&self) -> Vec<(u32, String)> {
        let mut found: Vec<_> = fs::read_dir(format!("/proc/{}/fd", self.pid))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                (
                    number,
                    fs::read_link(path).unwrap().to_string_lossy().into_owned(),
                )
            })
            .collect();
        found.sort();
        found
    }

    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.proc("mountinfo").lines().map(Mount::parse).collect()
    }

    /// The visible mount at this path: the last one.
    pub(crate) fn mount_at(&self, place: &str) -> Mount {
        let mut mounts = self.mounts();
        mounts.retain(|mount| mount.at == place);
        mounts
            .pop()
            .unwrap_or_else(|| panic!("nothing is mounted at {place}"))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        let _ = self.helper.wait();
        let _ = self.root;
    }
}

pub(crate) fn signal(pid: i32, signal: u32) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn strings(text: &str) -> Vec<String> {
    text.split_terminator('\0').map(String::from).collect()
}

/// A program that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn said(&self) -> String {
        said(&self.stderr)
    }
}

/// The log without two lines, each of which the machine may cause once: its kernel shows no modules, and the program may not
/// write to the tester's own cgroup.
pub(crate) fn said(log: &str) -> String {
    let (mut modules, mut cgroup) = (false, false);
    let is_first = |seen: &mut bool, is: bool| is && !std::mem::replace(seen, true);
    log.split_inclusive('\n')
        .filter(|line| !is_first(&mut modules, tells_of_modules(line)))
        .filter(|line| !is_first(&mut cgroup, tells_of_foreign_cgroup(line)))
        .collect()
}

/// No image has a modprobe unless a test adds one. Which of these modules the kernel shows depends on the machine.
fn tells_of_modules(line: &str) -> bool {
    const BEGINS: &str = "dockerlaunch: warning: there is no modprobe in PATH to load ";
    const ENDS: &str = " (harmless if built in)\n";
    let names = line
        .strip_prefix(BEGINS)
        .and_then(|line| line.strip_suffix(ENDS));
    let known = |name| modules::TABLE.contains(&name) || name == "button";
    names.is_some_and(|names| names.split(' ').all(known))
}

/// The hierarchy's root, or a cgroup below it.
fn tells_of_foreign_cgroup(line: &str) -> bool {
    [nesting::SHARED, nesting::READ_ONLY]
        .iter()
        .any(|why| line == nesting::left(why))
}

/// Without the markers at the end of links in /proc/PID: what `path` is, not where it leads.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}
