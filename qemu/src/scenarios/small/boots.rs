//! Plain boots: what the daemon finds with no setting.

use super::builder::{QUIET, Root, Scenario, Suite, small};
use crate::checks::expect::{
    Content::{Has, MachineId},
    Expect::{self, *},
};

/// The early mounts: target, type, options, and the file system's own.
pub(super) const MOUNTS: &[Expect] = &[
    Mount("/proc", "proc", "rw,nosuid,nodev,noexec,relatime", ""),
    Mount("/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime", ""),
    Mount("/dev", "devtmpfs", "rw,nosuid", "mode=755"),
    Mount(
        "/dev/pts",
        "devpts",
        "rw,nosuid,noexec,relatime",
        "gid=5,mode=620,ptmxmode=666",
    ),
    Mount("/dev/shm", "tmpfs", "rw,nosuid,nodev", ""),
    Mount(
        "/dev/mqueue",
        "mqueue",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
    Mount("/run", "tmpfs", "rw,nosuid,nodev", "mode=755"),
    Mount(
        "/sys/kernel/security",
        "securityfs",
        "rw,nosuid,nodev,noexec,relatime",
        "",
    ),
    Mount(
        "/sys/fs/bpf",
        "bpf",
        "rw,nosuid,nodev,noexec,relatime",
        "mode=700",
    ),
    Mount(
        "/dev/hugepages",
        "hugetlbfs",
        "rw,nosuid,nodev,relatime",
        "",
    ),
    Mount(
        "/sys/fs/cgroup",
        "cgroup2",
        "rw,nosuid,nodev,noexec,relatime",
        "nsdelegate,memory_recursiveprot",
    ),
    Directory("/dev/shm", "1777"),
];

/// Nothing else is mounted, and nothing twice.
pub(super) const MOUNTED_ON_DISK: &[Expect] = &[MountedAll(
    "exact",
    &[
        "/",
        "/proc",
        "/sys",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
        "/run",
        "/sys/kernel/security",
        "/sys/fs/bpf",
        "/dev/hugepages",
        "/sys/fs/cgroup",
    ],
)];

pub(super) const DEVICES: &[Expect] = &[
    Link("/dev/fd", "/proc/self/fd"),
    Link("/dev/stdin", "/proc/self/fd/0"),
    Link("/dev/stdout", "/proc/self/fd/1"),
    Link("/dev/stderr", "/proc/self/fd/2"),
    Link("/dev/core", "/proc/kcore"),
    Device("/dev/console", "5:1"),
    Device("/dev/null", "1:3"),
    // The kernel makes this device itself, for the terminals of /dev/pts.
    Device("/dev/ptmx", "5:2"),
];

pub(super) const LAYOUT: &[Expect] = &[
    Directory("/tmp", "1777"),
    Directory("/root", "700"),
    Directory("/root/.ssh", "700"),
    Directory("/var/lib", "755"),
    Directory("/var/lib/docker", "710"),
    Directory("/var/log", "755"),
    Directory("/usr/lib", "755"),
    Link("/var/run", "../run"),
    Link("/lib", "usr/lib"),
    Link("/bin", "usr/bin"),
    Link("/sbin", "usr/sbin"),
    Link("/etc/mtab", "../proc/self/mounts"),
    File("/etc/passwd", "644", Has("root:x:0:0:root:/root:")),
    File("/etc/group", "644", Has("\ndocker:x:")),
    File("/etc/nsswitch.conf", "644", Has("hosts:")),
    File("/etc/hosts", "644", Has("127.0.0.1")),
    File("/etc/machine-id", "444", MachineId),
    Absent("/etc/hostname"),
];

/// How the daemon is started.
pub(super) const DAEMON: &[Expect] = &[
    Arguments(&["dockerd"]),
    Environment(&[
        "HOME=/root",
        "NOTIFY_SOCKET=/run/dockerlaunch/notify",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM=linux",
    ]),
    Process("parent", "1"),
    Process("session", "own"),
    Process("directory", "/"),
    Process("umask", "0022"),
    Process("blocked", "0000000000000000"),
    // SIGPIPE: ignored by the probe's runtime.
    Process("ignored", "0000000000001000"),
    Process("oom_score_adj", "-500"),
    Process("others", "dockerlaunch"),
    Limit("NOFILE", Some(1024), Some(524_288)),
    Limit("NPROC", None, None),
    Limit("CORE", None, None),
    Descriptors(&[
        (0, "/dev/console"),
        (1, "/dev/console"),
        (2, "/dev/console"),
    ]),
];

pub(super) const SHARED: &[Expect] = &[
    PivotRoot("works"),
    Propagation("/", "shared"),
    Propagation("/dev", "shared"),
    Propagation("/sys/fs/cgroup", "shared"),
];

pub(super) const NETWORK: &[Expect] = &[
    LinkUp("lo"),
    Address("lo 127.0.0.1/8"),
    Hostname("docker"),
    // dockerd sets FORWARD to DROP only if it turns this on itself.
    Kernel("/proc/sys/net/ipv4/ip_forward", "0"),
];

const INITRAMFS: &[&[Expect]] = &[MOUNTS, DEVICES, LAYOUT, DAEMON, SHARED, NETWORK, QUIET];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "disk",
        "everything that a daemon finds after a boot with no setting",
        &[
            MOUNTS,
            MOUNTED_ON_DISK,
            DEVICES,
            LAYOUT,
            DAEMON,
            SHARED,
            NETWORK,
            QUIET,
        ],
    ),
    small(
        "initramfs",
        "the same on a root that pivot_root refuses until it is moved over itself",
        INITRAMFS,
    )
    .on(Suite::Trixie, Root::Initramfs),
    small(
        "initramfs-bookworm",
        "the same on 6.1; the oldest kernel is case-g9-bullseye-initramfs",
        INITRAMFS,
    )
    .on(Suite::Bookworm, Root::Initramfs)
    .long(),
    small(
        "initramfs-sid",
        "the same on the newest kernel, which may put an empty root under it",
        INITRAMFS,
    )
    .on(Suite::Sid, Root::Initramfs),
];
