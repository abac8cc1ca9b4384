//! The rows: what stands where in an image, and where it is from.

use super::Group;

/// One row: where it stands, and what it is.
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) at: &'static str,
    pub(super) from: From,
}

pub(super) enum From {
    /// The packages' file of the same path, or of a pattern in its last name (`*.so`). Below usr/etc: the one of /etc.
    Package,
    /// The program that was built here.
    Program,
    /// The packages' files of a folder, joined to one.
    Joined {
        folder: &'static str,
        suffix: &'static str,
    },
    Link(&'static str),
    Directory(u32),
}

const fn file(group: Group, at: &'static str) -> Row {
    Row {
        group,
        at,
        from: From::Package,
    }
}

const fn link(group: Group, at: &'static str, to: &'static str) -> Row {
    Row {
        group,
        at,
        from: From::Link(to),
    }
}

const fn directory(at: &'static str, mode: u32) -> Row {
    Row {
        group: Group::System,
        at,
        from: From::Directory(mode),
    }
}

const BUSYBOX: &str = "../bin/busybox";
const XTABLES: &str = "xtables-nft-multi";
const LEGACY: &str = "../../../sbin/xtables-legacy-multi";
const GIT: &str = "../../bin/git";

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    Row { group: Group::Program, at: "usr/bin/dockerlaunch", from: From::Program },

    file(Group::Engine, "usr/sbin/dockerd"),
    file(Group::Engine, "usr/bin/containerd"),
    file(Group::Engine, "usr/bin/containerd-shim-runc-v2"),
    file(Group::Engine, "usr/sbin/runc"),
    file(Group::Engine, "usr/sbin/docker-proxy"),
    file(Group::Engine, "usr/bin/docker-init"),
    file(Group::Client, "usr/bin/docker"),

    file(Group::Iptables, "usr/sbin/xtables-nft-multi"),
    file(Group::Iptables, "usr/lib/x86_64-linux-gnu/xtables/*.so"),
    link(Group::Iptables, "usr/sbin/iptables", XTABLES),
    link(Group::Iptables, "usr/sbin/iptables-save", XTABLES),
    link(Group::Iptables, "usr/sbin/iptables-restore", XTABLES),
    link(Group::Iptables, "usr/sbin/ip6tables", XTABLES),
    link(Group::Iptables, "usr/sbin/ip6tables-save", XTABLES),
    link(Group::Iptables, "usr/sbin/ip6tables-restore", XTABLES),
    // For a kernel whose rules are the older ones: where docker:dind has them, before PATH when they are wanted.
    file(Group::Iptables, "usr/sbin/xtables-legacy-multi"),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables-save", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables-restore", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables-save", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables-restore", LEGACY),

    // Without its configuration it warns, and the engine takes the warning for a version.
    file(Group::Apparmor, "usr/sbin/apparmor_parser"),
    file(Group::Apparmor, "usr/etc/apparmor/parser.conf"),
    file(Group::Apparmor, "usr/share/apparmor-features/features"),

    // Debian's git looks below /usr/lib, others below /usr/libexec.
    file(Group::Git, "usr/bin/git"),
    file(Group::Git, "usr/lib/git-core/git-remote-http"),
    link(Group::Git, "usr/lib/git-core/git-remote-https", "git-remote-http"),
    file(Group::Git, "usr/lib/git-core/git-submodule"),
    file(Group::Git, "usr/lib/git-core/git-sh-setup"),
    file(Group::Git, "usr/lib/git-core/git-sh-i18n"),
    link(Group::Git, "usr/lib/git-core/git", GIT),
    link(Group::Git, "usr/lib/git-core/git-clone", GIT),
    link(Group::Git, "usr/lib/git-core/git-checkout", GIT),
    link(Group::Git, "usr/lib/git-core/git-fetch", GIT),
    link(Group::Git, "usr/lib/git-core/git-submodule--helper", GIT),
    link(Group::Git, "usr/libexec/git-core", "../lib/git-core"),
    Row { group: Group::Git, at: "usr/share/git-core/templates", from: From::Directory(0o755) },
    file(Group::Ssh, "usr/bin/ssh"),

    Row {
        group: Group::Certificates,
        at: "usr/etc/ssl/certs/ca-certificates.crt",
        from: From::Joined { folder: "usr/share/ca-certificates/mozilla", suffix: ".crt" },
    },

    // One static program: it loads every suite's modules, compressed or not, at a fifth of kmod's size with its libraries.
    file(Group::Busybox, "usr/bin/busybox"),
    link(Group::Modprobe, "usr/sbin/modprobe", BUSYBOX),
    link(Group::Busybox, "usr/sbin/udhcpc", BUSYBOX),
    link(Group::Busybox, "usr/bin/ps", "busybox"),
    link(Group::Xz, "usr/bin/xz", "busybox"),
    link(Group::Busybox, "usr/bin/sh", "busybox"),
    // For git's scripts, and for whoever gets the shell of DOCKER_LAUNCH_ON_FAILURE.
    link(Group::Busybox, "usr/bin/basename", "busybox"),
    link(Group::Busybox, "usr/bin/cat", "busybox"),
    link(Group::Busybox, "usr/bin/dmesg", "busybox"),
    link(Group::Busybox, "usr/bin/grep", "busybox"),
    link(Group::Busybox, "usr/bin/ls", "busybox"),
    link(Group::Busybox, "usr/bin/mount", "busybox"),
    link(Group::Busybox, "usr/bin/sed", "busybox"),
    link(Group::Busybox, "usr/bin/sync", "busybox"),
    link(Group::Busybox, "usr/bin/umount", "busybox"),
    link(Group::Busybox, "usr/bin/uname", "busybox"),
    link(Group::Busybox, "usr/sbin/ip", BUSYBOX),
    // They ask PID 1 by a signal.
    link(Group::Busybox, "usr/sbin/halt", BUSYBOX),
    link(Group::Busybox, "usr/sbin/poweroff", BUSYBOX),
    link(Group::Busybox, "usr/sbin/reboot", BUSYBOX),

    file(Group::FileSystems, "usr/sbin/mkfs.ext4"),
    file(Group::FileSystems, "usr/sbin/e2fsck"),
    file(Group::FileSystems, "usr/etc/mke2fs.conf"),
    file(Group::FileSystems, "usr/sbin/mkfs.xfs"),
    file(Group::FileSystems, "usr/sbin/mkfs.btrfs"),

    // glibc opens it by itself when a thread is cancelled.
    file(Group::Libraries, "usr/lib/x86_64-linux-gnu/libgcc_s.so.1"),

    file(Group::System, "usr/lib/os-release"),
    link(Group::System, "usr/etc/os-release", "../usr/lib/os-release"),
    directory("dev", 0o755),
    directory("etc", 0o755),
    directory("proc", 0o555),
    directory("root", 0o700),
    directory("run", 0o755),
    directory("sys", 0o555),
    directory("tmp", 0o1777),
    directory("var", 0o755),
    link(Group::Links, "bin", "usr/bin"),
    link(Group::Links, "lib", "usr/lib"),
    link(Group::Links, "lib64", "usr/lib64"),
    link(Group::Links, "sbin", "usr/sbin"),
];
