//! The files of an image, by group: one table for all suites. Libraries are not in it, they are found (libraries.rs), and
//! so are the kernel's modules (modules.rs).
//!
//! Everything lies below /usr, defaults for /etc below /usr/etc; dockerlaunch makes the rest at boot.

mod rows;

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::tree::{Entry, Tree};
use rows::{From, TABLE};

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
    #[value(hide = true)]
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
        Self::FileSystems,
        Self::Links,
    ];

    /// All that Docker can use.
    pub const ALL: &[Self] = Self::APPLIANCE.split_at(15).0;

    /// What dockerlaunch's check finds no fault in: nothing that is required is missing. Without the client.
    pub const SMALLEST: &[Self] = &[
        Self::Program,
        Self::Engine,
        Self::Iptables,
        Self::Libraries,
        Self::System,
    ];

    /// Nothing starts without them.
    const ESSENTIAL: &[Self] = &[Self::Program, Self::Engine, Self::Libraries, Self::System];

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

    /// What it is of no use without: links and scripts that busybox runs.
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Git | Self::Modprobe | Self::Xz => &[Self::Busybox],
            _ => &[],
        }
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

/// What is kept of the groups when some are to be left out.
pub fn kept(groups: impl Iterator<Item = Group>, without: &[Group]) -> Result<Vec<Group>> {
    let kept: Vec<Group> = groups.filter(|group| !without.contains(group)).collect();
    for gone in without {
        ensure!(
            !Group::ESSENTIAL.contains(gone),
            "{} cannot be left out: without it no engine starts",
            gone.name()
        );
        let users = kept.iter().filter(|group| group.needs().contains(gone));
        let users: Vec<String> = users.map(|group| group.name()).collect();
        ensure!(
            users.is_empty(),
            "{} cannot be left out alone: {} need it; leave them out, too",
            gone.name(),
            users.join(", ")
        );
    }
    Ok(kept)
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
    use super::{rows::Row, *};

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
    fn what_others_need_is_left_out_with_them_or_not_at_all() {
        let refusal = |without: &[Group]| {
            kept(Group::ALL.iter().copied(), without)
                .unwrap_err()
                .to_string()
        };
        for group in Group::ESSENTIAL {
            assert!(refusal(&[*group]).contains(&format!("{} cannot be", group.name())));
        }
        let alone = refusal(&[Group::Busybox, Group::Git]);
        assert!(alone.contains(": modprobe, xz need it"), "{alone}");
        let few = [Group::Busybox, Group::Git, Group::Modprobe, Group::Xz];
        let kept = kept(Group::ALL.iter().copied(), &few).unwrap();
        assert_eq!(kept.len(), Group::ALL.len() - few.len());
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
