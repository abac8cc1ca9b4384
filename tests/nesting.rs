//! A container's cgroup v2: when its processes move to /init, and when none moves. Each test makes a cgroup in the machine's
//! hierarchy. Which controllers exist depends on the machine, so guests assert the limits.

use crate::{
    hierarchy::{self, Hierarchy},
    root::Root,
    running::{Running, Start},
    util::{Before, LIMIT, Needs, tests},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{PidfdFlags, pidfd_open},
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

tests![Needs::Controllers;
    its_processes_move_to_init,
    a_second_launch_finds_it,
    launch_waits_for_processes_that_enter,
    a_process_that_stays_is_reported,
    docker_exec_cannot_enter_during_the_move,
    a_refused_controller_does_not_affect_the_others,
    a_refused_controller_does_not_end_the_wait,
    g1_without_controllers_there_is_no_wait,
    processes_of_a_read_only_cgroup_stay,
    processes_of_a_threaded_cgroup_stay,
    processes_of_the_outer_engines_cgroup_stay,
];

/// The tests that take a second or two, each with its own container.
pub(crate) const QUICK: &[fn()] = &[
    its_processes_move_to_init,
    a_second_launch_finds_it,
    launch_waits_for_processes_that_enter,
    docker_exec_cannot_enter_during_the_move,
    a_refused_controller_does_not_affect_the_others,
    a_refused_controller_does_not_end_the_wait,
    g1_without_controllers_there_is_no_wait,
    processes_of_a_read_only_cgroup_stay,
];

/// A cgroup for a container, inside a cgroup for this process, whose controllers decide what the container gets.
pub(crate) struct Cgroup {
    outer: PathBuf,
    /// Opened before the new namespaces exist: in a hierarchy mounted with nsdelegate no process can leave its cgroup namespace.
    home: File,
}

/// How the container's cgroup is made.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OwnCgroup {
    /// The first helper leaves it after so many milliseconds.
    pub(crate) left_after: u64,
    /// Whether it gets all controllers that the machine enables, or none.
    pub(crate) controllers: bool,
}

impl Cgroup {
    /// Makes it and moves this process into it. The working directory becomes the top of the hierarchy: PID 1 moves its root.
    pub(crate) fn enter(own: OwnCgroup) -> Self {
        let hierarchy = Hierarchy::find().unwrap();
        env::set_current_dir(&hierarchy.top).unwrap();
        let outer = PathBuf::from(Hierarchy::name());
        fs::create_dir_all(outer.join("container")).unwrap();
        if own.controllers {
            let controllers = fs::read_to_string(outer.join("cgroup.controllers")).unwrap();
            let switches = controllers
                .split_whitespace()
                .map(|name| format!("+{name} "));
            fs::write(
                outer.join("cgroup.subtree_control"),
                switches.collect::<String>(),
            )
            .unwrap();
        }
        let home = hierarchy.own.join("cgroup.procs");
        let home = File::options().write(true).open(home).unwrap();
        fs::write(outer.join("container/cgroup.procs"), "0").unwrap();
        Self { outer, home }
    }

    /// Leaves it after so many milliseconds, or when PID 1 has ended.
    pub(crate) fn leave(&mut self, after: u64, pid_1: &Child) {
        let pid = rustix::process::Pid::from_raw(pid_1.id().cast_signed()).unwrap();
        let ends = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let limit = Timespec {
            tv_sec: (after / 1000).cast_signed(),
            tv_nsec: (after % 1000 * 1_000_000).cast_signed(),
        };
        poll(&mut [PollFd::new(&ends, PollFlags::IN)], Some(&limit)).unwrap();
        self.home.write_all(b"0").unwrap();
    }

    /// Removes it when its last process has ended.
    pub(crate) fn remove(&self) {
        hierarchy::remove(&self.outer);
    }
}

/// A container in a cgroup that the first helper leaves after so many milliseconds.
fn container(root: &Root, tester_leaves_after: u64) -> Start<'_> {
    with_loader(root).own_cgroup(OwnCgroup {
        left_after: tester_leaves_after,
        controllers: true,
    })
}

fn with_loader(root: &Root) -> Start<'_> {
    root.stand_in("/usr/bin/sleeper")
        .stand_in("/usr/bin/once")
        .loader();
    root.container()
}

fn read(daemon: &Running<'_>, file: &str) -> String {
    daemon.read(&format!("/sys/fs/cgroup/{file}"))
}

fn assert_nested(daemon: &Running<'_>) {
    assert_eq!(read(daemon, "cgroup.procs"), "");
    let moved = read(daemon, "init/cgroup.procs");
    let pid = daemon.pid.to_string();
    assert!(moved.lines().any(|line| line == pid), "{moved}");
    let controllers = read(daemon, "cgroup.controllers");
    assert_ne!(controllers, "", "the machine enables no controller");
    assert_eq!(read(daemon, "cgroup.subtree_control"), controllers);
    assert!(!daemon.log().contains("cgroup"), "{}", daemon.log());
}

pub(crate) const SHARED: &str = "shared with the host (run with --cgroupns=private)";
pub(crate) const READ_ONLY: &str =
    "read-only here (run with --privileged, and with --userns=host if root is remapped)";

/// What is logged about a cgroup in which no process moves.
pub(crate) fn left(why: &str) -> String {
    format!(
        "dockerlaunch: warning: cgroup v2 is {why}; its processes stay where they are, and inner containers may get no limits\n"
    )
}

fn assert_left(daemon: &Running<'_>, why: &str) {
    assert!(daemon.log().contains(&left(why)), "{}", daemon.log());
    assert_eq!(read(daemon, "cgroup.subtree_control"), "");
}

fn its_processes_move_to_init() {
    let root = Root::new();
    let sleeper = || Before::Sleeper {
        program: "/usr/bin/sleeper".into(),
    };
    let start = container(&root, 0).before(sleeper()).before(sleeper());
    let daemon = start.running();
    assert_nested(&daemon);
    assert_eq!(read(&daemon, "init/cgroup.procs").lines().count(), 3);
    // Enables controllers as dockerd does for a container.
    fs::create_dir(daemon.path("/sys/fs/cgroup/docker")).unwrap();
    let enabled = read(&daemon, "docker/cgroup.controllers");
    assert_eq!(enabled, read(&daemon, "cgroup.controllers"));
}

fn a_second_launch_finds_it() {
    let root = Root::new();
    let once = Before::Launch { variables: vec![] };
    assert_nested(&container(&root, 0).before(once).running());
}

/// The kernel shows the pid 0 for processes of other PID namespaces; `docker exec` starts with such a process.
fn launch_waits_for_processes_that_enter() {
    let root = Root::new();
    assert_nested(&container(&root, 1000).running());
}

fn a_process_that_stays_is_reported() {
    let root = Root::new();
    let daemon = container(&root, 60_000).running();
    assert_ne!(read(&daemon, "cgroup.controllers"), "");
    assert_left(
        &daemon,
        "held for 10 s by processes of another PID namespace, which cannot be moved",
    );
}

/// The kernel enables no controller and so refuses nothing: processes that stay in the cgroup do not matter.
fn g1_without_controllers_there_is_no_wait() {
    let root = Root::new();
    let start = with_loader(&root).own_cgroup(OwnCgroup {
        left_after: 60_000,
        controllers: false,
    });
    let began = Instant::now();
    let daemon = start.running();
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "the launch has waited"
    );
    assert_eq!(read(&daemon, "cgroup.controllers"), "");
    assert_eq!(read(&daemon, "cgroup.subtree_control"), "");
    let stays = read(&daemon, "cgroup.procs");
    assert_eq!(
        stays.lines().count(),
        1,
        "only the tester may stay: {stays}"
    );
    let moved = read(&daemon, "init/cgroup.procs");
    assert_eq!(moved, format!("{}\n", daemon.pid));
    assert!(!daemon.log().contains("cgroup"), "{}", daemon.log());
}

/// A process enters the cgroup and leaves it, again and again, until the kernel refuses.
fn intrude(cgroup: &Path, outer: &Path) -> Option<i32> {
    let mut process = Command::new("sleep").arg("90").spawn().unwrap();
    let pid = process.id().to_string();
    let limit = Instant::now() + Duration::from_secs(LIMIT.cast_unsigned());
    let refused = loop {
        let entered = fs::write(cgroup.join("cgroup.procs"), &pid);
        if entered.is_err() || Instant::now() > limit {
            break entered;
        }
        thread::sleep(Duration::from_millis(2));
        fs::write(outer.join("cgroup.procs"), &pid).unwrap();
        thread::sleep(Duration::from_millis(5));
    };
    process.kill().unwrap();
    process.wait().unwrap();
    refused.err()?.raw_os_error()
}

fn docker_exec_cannot_enter_during_the_move() {
    let root = Root::new();
    let hierarchy = Hierarchy::find().unwrap();
    // A stand-in that does not report its start.
    let words = ["/usr/bin/sleeper"];
    let daemon = container(&root, 0).words(words).started();
    let of_daemon = daemon.proc("cgroup");
    let mut names = of_daemon.split(['/', '\n']);
    let name = names.find(|name| name.starts_with("dockerlaunch-host-test"));
    let cgroup = hierarchy.top.join(name.unwrap()).join("container");
    let controllers = fs::read_to_string(cgroup.join("cgroup.controllers")).unwrap();
    assert_ne!(
        controllers, "",
        "without controllers the kernel never refuses"
    );
    let refused = thread::scope(|scope| {
        let intruders = [(); 2].map(|()| scope.spawn(|| intrude(&cgroup, &hierarchy.own)));
        intruders.map(|intruder| intruder.join().unwrap())
    });
    // Once the controllers are enabled, the kernel lets no process enter.
    assert_eq!(refused, [Some(nix::libc::EBUSY); 2]);
    daemon.until("started", |daemon| daemon.words() == words);
    assert_nested(&daemon);
}

fn a_refused_controller_does_not_affect_the_others() {
    assert_others_are_enabled(0);
}

/// While a process is in the cgroup, the kernel refuses the others, too.
fn a_refused_controller_does_not_end_the_wait() {
    assert_others_are_enabled(1000);
}

fn assert_others_are_enabled(tester_leaves_after: u64) {
    let root = Root::new();
    let own = Hierarchy::find().unwrap().enabled();
    assert_ne!(own.trim(), "");
    root.file("/controllers", &format!("none {own}"));
    let controllers = "/sys/fs/cgroup/cgroup.controllers";
    let start = container(&root, tester_leaves_after);
    let daemon = start
        .before(Before::bind(root.path("/controllers"), controllers))
        .running();
    let line = "warning: the kernel does not enable all cgroup v2 controllers, so inner containers have no limits of: none, invalid argument (EINVAL)\n";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    assert_eq!(read(&daemon, "cgroup.subtree_control"), own);
}

/// The same if an earlier launch has made /init there.
fn processes_of_a_read_only_cgroup_stay() {
    for init in [false, true] {
        let root = Root::new();
        let mut start = container(&root, 0);
        if init {
            let at = "/sys/fs/cgroup/init".into();
            start = start.before(Before::Directory { at });
        }
        let at = "/sys/fs/cgroup".into();
        let daemon = start.before(Before::ReadOnly { at }).running();
        assert_left(&daemon, READ_ONLY);
        let alone = format!("{}\n", daemon.pid);
        daemon.until("alone", |daemon| read(daemon, "cgroup.procs") == alone);
    }
}

/// Makes a cgroup below the container's, and writes a value to one of its files.
fn with_cgroup<'r>(start: Start<'r>, name: &str, file: &str, value: &str) -> Start<'r> {
    let at = format!("/sys/fs/cgroup/{name}");
    let file = Before::File {
        at: format!("{at}/{file}"),
        contents: value.into(),
    };
    start.before(Before::Directory { at }).before(file)
}

fn processes_of_a_threaded_cgroup_stay() {
    let root = Root::new();
    let start = container(&root, 0);
    let daemon = with_cgroup(start, "threads", "cgroup.type", "threaded").running();
    assert_left(&daemon, "threaded here");
    assert!(!daemon.path("/sys/fs/cgroup/init").exists());
}

/// With --cgroupns=host, the cgroups that an inner engine shows its containers are those of its own container.
fn processes_of_the_outer_engines_cgroup_stay() {
    let root = Root::new();
    let start = container(&root, 0);
    let daemon = with_cgroup(start, "docker", "cgroup.procs", "0").running();
    assert_left(&daemon, SHARED);
    assert!(!daemon.path("/sys/fs/cgroup/init").exists());
    assert_eq!(
        read(&daemon, "docker/cgroup.procs"),
        format!("{}\n", daemon.pid)
    );
}
