//! The files of an image, by group: one table for all suites. Libraries are not in it, they are found (libraries.rs), and so are
//! the kernel's modules (modules.rs).
//!
//! Everything lies below /usr, defaults for /etc below /usr/etc; dockerlaunch makes the rest at boot.

use super::groups::Group;

/// A file, link or folder of an image.
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) at: &'static str,
    pub(super) from: From,
}

pub(super) enum From {
    /// The packages' file of the same path; its last name may be a pattern (`*.so`). A path below usr/etc takes the file of /etc.
    Package,
    /// The program that was built here.
    Program,
    /// The packages' files of a folder, joined into one.
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
    // For a kernel with the legacy tables: in the folder of docker:dind, which goes first in PATH when they are needed.
    file(Group::Iptables, "usr/sbin/xtables-legacy-multi"),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables-save", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/iptables-restore", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables-save", LEGACY),
    link(Group::Iptables, "usr/local/sbin/.iptables-legacy/ip6tables-restore", LEGACY),

    // Without its configuration the parser warns, and the engine takes the warning for a version.
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

    // It loads every suite's modules, at a fifth of the size of kmod with its libraries.
    file(Group::Busybox, "usr/bin/busybox"),
    link(Group::Modprobe, "usr/sbin/modprobe", BUSYBOX),
    link(Group::Busybox, "usr/sbin/udhcpc", BUSYBOX),
    link(Group::Busybox, "usr/bin/ps", "busybox"),
    link(Group::Xz, "usr/bin/xz", "busybox"),
    link(Group::Busybox, "usr/bin/sh", "busybox"),
    // For git's scripts, and for the shell of DOCKER_LAUNCH_ON_FAILURE.
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
    // They send a signal to PID 1.
    link(Group::Busybox, "usr/sbin/halt", BUSYBOX),
    link(Group::Busybox, "usr/sbin/poweroff", BUSYBOX),
    link(Group::Busybox, "usr/sbin/reboot", BUSYBOX),

    file(Group::FileSystems, "usr/sbin/mkfs.ext4"),
    file(Group::FileSystems, "usr/sbin/e2fsck"),
    file(Group::FileSystems, "usr/etc/mke2fs.conf"),
    file(Group::FileSystems, "usr/sbin/mkfs.xfs"),
    file(Group::FileSystems, "usr/sbin/mkfs.btrfs"),

    // glibc opens it when a thread is cancelled.
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

/// The engine's files, and what each is for.
pub const ENGINE: &[(&str, &str)] = &[
    (
        "usr/sbin/dockerd",
        "the engine: API, networks, volumes, builds",
    ),
    (
        "usr/bin/containerd",
        "keeps images' contents and containers' shims; dockerd starts it",
    ),
    (
        "usr/bin/containerd-shim-runc-v2",
        "a container's parent, so that the engine can be restarted",
    ),
    (
        "usr/sbin/runc",
        "makes a container of namespaces, cgroups and mounts",
    ),
    (
        "usr/sbin/docker-proxy",
        "a published port on loopback; not with --userland-proxy=false",
    ),
    ("usr/bin/docker-init", "PID 1 of a container with --init"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once() {
        let mut places: Vec<&str> = TABLE.iter().map(|row| row.at).collect();
        places.sort_unstable();
        let count = places.len();
        places.dedup();
        assert_eq!(places.len(), count);
    }

    #[test]
    fn everything_but_the_mount_points_lies_below_usr() {
        for row in TABLE {
            let empty = matches!(row.from, From::Directory(_)) && !row.at.contains('/');
            assert!(
                empty || row.group == Group::Links || row.at.starts_with("usr/"),
                "{}",
                row.at
            );
        }
    }

    #[test]
    fn links_lead_to_something_in_the_table() {
        for row in TABLE.iter().filter(|row| row.group != Group::Links) {
            let From::Link(to) = row.from else { continue };
            let mut place: Vec<&str> = row.at.split('/').collect();
            place.pop();
            for name in to.split('/') {
                if name == ".." {
                    place.pop();
                } else {
                    place.push(name);
                }
            }
            // Copied to /etc, a link of /usr/etc leads from there.
            let place = place.join("/").replace("usr/usr/", "usr/");
            let there =
                |other: &Row| other.at == place || other.at.starts_with(&format!("{place}/"));
            assert!(TABLE.iter().any(there), "{} leads to {place}", row.at);
        }
    }

    #[test]
    fn every_file_of_the_engine_is_explained() {
        let files = TABLE
            .iter()
            .filter(|row| row.group == Group::Engine)
            .map(|row| row.at);
        assert!(files.eq(ENGINE.iter().map(|(at, _)| *at)));
    }

    #[test]
    fn every_group_of_the_table_is_in_an_appliance() {
        assert!(
            TABLE
                .iter()
                .all(|row| Group::APPLIANCE.contains(&row.group))
        );
    }
}
