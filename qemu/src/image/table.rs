//! The files of an image, by group: one table for all suites. Libraries are not in it, they are found (libraries.rs), and
//! so are the kernel's modules (modules.rs).
//!
//! Everything lies below /usr, defaults for /etc below /usr/etc; dockerlaunch makes the rest at boot.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::tree::{Entry, Tree};

/// Files that are there together or not at all. clap names them as `name` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Group {
    #[value(name = "dockerlaunch")]
    Program,
    Engine,
    #[value(alias = "cli")]
    Client,
    Iptables,
    /// Debian's kernels have it on, and an engine that finds it on wants its parser.
    Apparmor,
    Git,
    Ssh,
    Certificates,
    /// ps, xz and a shell.
    Busybox,
    /// The link to busybox by this name: the kernel starts it, too.
    Modprobe,
    Xz,
    /// udhcpc's own script, for `ip=dhcp`.
    Dhcp,
    /// To make a state disk's file system, and to repair one.
    FileSystems,
    /// What all the above are linked with.
    Libraries,
    Modules,
    /// os-release and the empty folders that the kernel and dockerlaunch mount on.
    System,
    /// The links into /usr, which nobody can make at boot on a root that is never written.
    Links,
    /// The bill of materials (bill.rs).
    Bill,
    /// What a scenario adds.
    Extra,
}

impl Group {
    /// What an appliance uses: all that Docker can use, then a state disk, an address from a server, a root never written.
    pub const APPLIANCE: &[Self] = &[
        Self::Program,
        Self::Engine,
        Self::Client,
        Self::Iptables,
        Self::Apparmor,
        Self::Git,
        Self::Ssh,
        Self::Certificates,
        Self::Busybox,
        Self::Modprobe,
        Self::Xz,
        Self::Libraries,
        Self::Modules,
        Self::System,
        Self::Bill,
        Self::Dhcp,
        Self::FileSystems,
        Self::Links,
    ];

    /// All that Docker can use.
    pub const ALL: &[Self] = Self::APPLIANCE.split_at(15).0;

    /// What goes on to a root that needs drivers: it loads them, and that is all.
    pub const INITRAMFS: &[Self] = &[
        Self::Program,
        Self::Busybox,
        Self::Modprobe,
        Self::Modules,
        Self::System,
    ];

    /// dockerlaunch and nothing that it could start: the scenario brings that.
    pub const BARE: &[Self] = &[Self::Program, Self::System];

    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no group is hidden");
        value.get_name().to_owned()
    }

    /// What it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Program => "the program between the kernel and Docker",
            Self::Engine => "runs containers",
            Self::Client => "the docker command, for docker exec into the image",
            Self::Iptables => "published ports, and networks that reach the outside",
            Self::Apparmor => "profiles of containers on a kernel with AppArmor",
            Self::Git => "docker build of a git URL",
            Self::Ssh => "docker build of a git URL over ssh; DOCKER_HOST=ssh://",
            Self::Certificates => "registries over TLS",
            Self::Busybox => "ps (docker top), udhcpc, a shell",
            Self::Modprobe => "the kernel's modules are loaded by it (a link to busybox)",
            Self::Xz => "images and archives compressed with xz (a link to busybox)",
            Self::Dhcp => "an address from a server, ip=dhcp",
            Self::FileSystems => "a state disk's file system is made and repaired",
            Self::Libraries => "what the programs are linked with",
            Self::Modules => "the kernel's modules that Docker needs",
            Self::System => "os-release and empty folders",
            Self::Links => "/bin, /lib, /lib64, /sbin, for a root that is never written",
            Self::Bill => "the bill of materials: package, version, licence",
            Self::Extra => "what is added",
        }
    }
}

/// One row: where it stands, and what it is.
struct Row {
    group: Group,
    at: &'static str,
    from: From,
}

/// What the engine's files are for.
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

enum From {
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
const TABLE: &[Row] = &[
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

    file(Group::Dhcp, "usr/etc/udhcpc/default.script"),

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

/// Puts the rows of the groups into the tree.
pub fn fill(tree: &mut Tree, packages: &Path, program: &Path, groups: &[Group]) -> Result<()> {
    for row in TABLE.iter().filter(|row| groups.contains(&row.group)) {
        match row.from {
            From::Program => tree.put(row.at, Entry::file(row.group, program.to_owned())?),
            From::Link(to) => tree.put(row.at, Entry::link(row.group, to)),
            From::Directory(mode) => tree.put(row.at, Entry::directory(row.group, mode)),
            From::Joined { folder, suffix } => {
                let paths = matching(packages, folder, "", suffix)?;
                let paths = paths.iter().map(|path| packages.join(path)).collect();
                tree.put(row.at, Entry::joined(row.group, paths));
            }
            From::Package => {
                for path in named(packages, row.at)? {
                    let brought = if path.starts_with("usr/etc/") {
                        &path["usr/".len()..]
                    } else {
                        &path
                    };
                    let source = packages
                        .join(brought)
                        .canonicalize()
                        .with_context(|| format!("no package brings {brought}"))?;
                    tree.put(&path, Entry::file(row.group, source)?);
                }
            }
        }
    }
    Ok(())
}

/// The path itself, or all that its `*` stands for.
fn named(packages: &Path, at: &str) -> Result<Vec<String>> {
    let Some((before, suffix)) = at.split_once('*') else {
        return Ok(vec![at.to_owned()]);
    };
    let (folder, prefix) = before
        .rsplit_once('/')
        .context("a pattern without a folder")?;
    matching(packages, folder, prefix, suffix)
}

fn matching(packages: &Path, folder: &str, prefix: &str, suffix: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(packages.join(folder))
        .with_context(|| format!("no package brings {folder}"))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            paths.push(format!("{folder}/{name}"));
        }
    }
    ensure!(
        !paths.is_empty(),
        "no package brings {folder}/{prefix}*{suffix}"
    );
    paths.sort();
    Ok(paths)
}

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
