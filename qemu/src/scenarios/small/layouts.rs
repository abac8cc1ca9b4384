//! Images that lack folders, and images with files of their own.

use super::builder::{Change, Group, NO_MODULES, Scenario, small};
use crate::checks::expect::{
    Content::Is,
    Expect::{self, *},
};

const BARE: &[Expect] = &[
    Mount("/proc", "proc", "rw,nosuid,nodev,noexec,relatime", ""),
    Mount("/dev", "devtmpfs", "rw,nosuid", ""),
    Mount(
        "/sys/fs/cgroup",
        "cgroup2",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
    Mount("/run", "tmpfs", "rw,nosuid,nodev", ""),
    Directory("/tmp", "1777"),
    Directory("/root", "700"),
    Descriptors(&[
        (0, "/dev/console"),
        (1, "/dev/console"),
        (2, "/dev/console"),
    ]),
    PivotRoot("works"),
    SaysOnly(&[NO_MODULES]),
];

const DEFAULTS: &[Change] = &[
    Change::File(
        "usr/etc/ssl/certs/ca-certificates.crt",
        0o644,
        "a certificate\n",
    ),
    Change::File("usr/etc/docker/daemon.json", 0o600, "{}\n"),
    Change::Link("usr/etc/docker/link", "daemon.json"),
    Change::File("usr/etc/hostname", 0o644, "from-usr-etc\n"),
    Change::File("usr/etc/kept", 0o644, "the default\n"),
    Change::File("etc/kept", 0o640, "the image's own\n"),
];

const COPIED: &[Expect] = &[
    File("/etc/docker/daemon.json", "600", Is("{}\n")),
    Link("/etc/docker/link", "daemon.json"),
    File("/etc/hostname", "644", Is("from-usr-etc\n")),
    File("/etc/kept", "640", Is("the image's own\n")),
    Directory("/etc/ssl/certs", "755"),
    File(
        "/etc/ssl/certs/ca-certificates.crt",
        "644",
        Is("a certificate\n"),
    ),
    Hostname("from-usr-etc"),
];

const OWN: &[Change] = &[
    Change::File("etc/passwd", 0o644, "root:x:0:0::/own:/bin/own\n"),
    Change::File("etc/group", 0o644, "root:x:0:\ndocker:x:777:\n"),
    Change::Link("etc/mtab", "elsewhere"),
    Change::Link("bin", "usr/own"),
];

const LEFT_ALONE: &[Expect] = &[
    File("/etc/passwd", "644", Is("root:x:0:0::/own:/bin/own\n")),
    File("/etc/group", "644", Is("root:x:0:\ndocker:x:777:\n")),
    Link("/etc/mtab", "elsewhere"),
    Link("/bin", "usr/own"),
];

/// A power cut leaves the pid file of a dockerd that was PID 1; the next dockerd finds a process with that number and refuses to start.
const STALE: &[Change] = &[
    Change::Directory("var/run", 0o755),
    Change::File("var/run/docker.pid", 0o644, "1"),
];
const STALE_ELSEWHERE: &[Change] = &[Change::File("var/lib/own.pid", 0o644, "1")];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "bare",
        "an image of two programs, without the folders /dev, /proc and /sys",
        &[BARE],
    )
    .groups(&[Group::Program]),
    small(
        "defaults",
        "files below /usr/etc become those of /etc unless the image has its own",
        &[COPIED],
    )
    .image(DEFAULTS),
    small(
        "own-files",
        "files of the image are left unchanged",
        &[LEFT_ALONE],
    )
    .image(OWN),
    small(
        "var-run-directory",
        "a /var/run on the disk would keep pid files over a power cut",
        &[&[
            Mount("/var/run", "tmpfs", "rw,nosuid,nodev", "mode=755"),
            Absent("/var/run/docker.pid"),
            Absent("/run/docker.pid"),
        ]],
    )
    .image(STALE),
    small(
        "stale-pid-file",
        "the same at the place that --pidfile names",
        &[&[Absent("/var/lib/own.pid")]],
    )
    .image(STALE_ELSEWHERE)
    .words(&["--pidfile=/var/lib/own.pid"]),
    small(
        "hostname",
        "the machine's hostname is the one in /etc/hostname",
        &[&[Hostname("named")]],
    )
    .image(&[Change::File("etc/hostname", 0o644, "named\n")]),
];
