//! Which daemon is started, with which arguments and which environment.

use super::builder::{Change, NO_MODULES, Scenario, small};
use crate::checks::expect::Expect::{self, *};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const NOTIFY: &str = "NOTIFY_SOCKET=/run/dockerlaunch/notify";

/// The kernel drops `--`, passes on words that it does not know, and puts `NAME=value` and even `--flag=value` into the environment.
const WORDS: &[Expect] = &[
    Arguments(&["dockerd", "--debug", "--label", "a b"]),
    Environment(&[
        "--early=value",
        "HOME=/root",
        NOTIFY,
        PATH,
        "TERM=linux",
        "plain=kept",
    ]),
    SaysOnly(&[&["ignored: splash"], NO_MODULES]),
];

const SOCKET: &[Expect] = &[
    Arguments(&["dockerd", "-H", "fd://"]),
    Process("listen-pid", "own"),
    Listens(3, "/run/docker.sock"),
    Descriptors(&[
        (0, "/dev/console"),
        (1, "/dev/console"),
        (2, "/dev/console"),
        (3, "socket:"),
    ]),
    Socket("/run/docker.sock", "660", 777),
];
const EXECUTED: &[Expect] = &[Environment(&[
    "HOME=/root",
    "LISTEN_FDS=1",
    "LISTEN_PID=1",
    PATH,
    "TERM=linux",
])];

const DEBUG: &[Expect] = &[
    Says("mounts", &["dockerlaunch: [", " ms] ", "/dev"]),
    Says("shared", &["dockerlaunch: [", " ms] ", "/ is shared"]),
    Environment(&["HOME=/root", NOTIFY, PATH, "TERM=linux"]),
];

const IGNORED: &[Expect] = &[
    SaysOnly(&[&["warning: ", "DOCKER_LAUNCH_NOPE=1"], NO_MODULES]),
    Environment(&["HOME=/root", NOTIFY, PATH, "TERM=linux"]),
];

/// In a container the outer engine makes the mounts: version 1 hierarchies are the host's.
const CONTAINER: &[Expect] = &[
    Mount(
        "/sys/fs/cgroup",
        "cgroup2",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
    NotMounted("/sys/fs/cgroup/pids"),
    NotMounted("/sys/kernel/security"),
    Mount("/dev/shm", "tmpfs", "rw,nosuid,nodev", ""),
    Propagation("/", "shared"),
];

const MACHINE: &[Expect] = &[
    Mount(
        "/sys/fs/cgroup",
        "cgroup2",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
    Mount(
        "/sys/kernel/security",
        "securityfs",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
];

const ENDED: &[Expect] = &[
    Panic("exitcode=0x00000300"),
    Arguments(&["dockerd", "--probe=report,exit:3"]),
];

const DOCKER: &[Change] = &[Change::Probe("usr/bin/docker", 0o755)];
const GROUP: &[Change] = &[Change::File(
    "etc/group",
    0o644,
    "root:x:0:\ndocker:x:777:\n",
)];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "words",
        "the kernel passes on words that are not for the daemon",
        &[WORDS],
    )
    .append(&["splash", "plain=kept", "--early=value"])
    .words(&["--debug", "--label", "a b"]),
    small(
        "daemon-by-name",
        "a name is looked up in PATH",
        &[&[Arguments(&["other", "-x"])]],
    )
    .image(&[Change::Probe("usr/local/bin/other", 0o755)])
    .words(&["other", "-x"]),
    small(
        "daemon-by-path",
        "a path is used unchanged",
        &[&[Arguments(&["/opt/other"])]],
    )
    .image(&[Change::Probe("opt/other", 0o755)])
    .words(&["/opt/other"]),
    small(
        "docker-d",
        "the oldest name of the daemon, `docker -d`",
        &[&[Arguments(&["dockerd", "-D"])]],
    )
    .image(DOCKER)
    .words(&["docker", "-d", "-D"]),
    small(
        "docker-daemon",
        "its second name, `docker daemon`",
        &[&[Arguments(&["dockerd", "-D"])]],
    )
    .image(DOCKER)
    .words(&["docker", "daemon", "-D"]),
    small(
        "socket",
        "clients can connect before the engine is up: PID 1 binds the socket, the daemon inherits it",
        &[SOCKET],
    )
    .image(GROUP)
    .words(&["-H", "fd://"]),
    small(
        "socket-executed",
        "the same with a daemon that is PID 1 itself",
        &[SOCKET, EXECUTED],
    )
    .image(GROUP)
    .append(&["DOCKER_LAUNCH_REAP=false"])
    .words(&["-H", "fd://"]),
    small(
        "debug",
        "a line for each step, with the time since the kernel's start",
        &[DEBUG],
    )
    .append(&["DOCKER_LAUNCH_DEBUG=true"]),
    small(
        "unknown-setting",
        "a misspelt setting is reported",
        &[IGNORED],
    )
    .append(&["DOCKER_LAUNCH_NOPE=1"]),
    small("as-machine", "the setting that makes it a machine", &[MACHINE]).append(&["DOCKER_LAUNCH_AS=machine"]),
    small(
        "as-container",
        "in a container no cgroup hierarchy is made: it would be the host's",
        &[CONTAINER],
    )
    .append(&["DOCKER_LAUNCH_AS=container"]),
    small(
        "daemon-ends",
        "without supervision the daemon is PID 1, and the kernel panics when it ends",
        &[ENDED],
    )
    .append(&["DOCKER_LAUNCH_REAP=false"])
    .words(&["--probe=report,exit:3"]),
];
