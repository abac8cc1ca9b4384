//! The groups of an image's files, in one table: which sets of groups each is in, what it needs, and what it is for. A group's
//! files are in rows.rs.

use anyhow::{Result, ensure};
use clap::ValueEnum;

/// Sets of groups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    /// What an appliance uses: `All`, and what serves a state disk, DHCP and a read-only root.
    Appliance,
    /// Everything that Docker can use.
    All,
    /// dockerlaunch's check finds nothing missing that is required. Without the client.
    Smallest,
    /// No engine starts without them.
    Essential,
    /// An initramfs that loads drivers and switches to the root.
    Initramfs,
    /// dockerlaunch and no daemon: the scenario brings one.
    Bare,
}

use Set::{All, Appliance, Bare, Essential, Initramfs, Smallest};

struct Row {
    group: Group,
    sets: &'static [Set],
    /// Of no use without these groups: links and scripts that busybox runs.
    needs: &'static [Group],
    about: &'static str,
}

/// Makes the type, and a row of the table for each group. clap names a group as `Group::name` does.
macro_rules! groups {
    ($($(#[$about:meta])* $group:ident: [$($set:ident),*], needs [$($need:ident),*], $what:literal;)*) => {
        /// Files that an image has together or not at all.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
        pub enum Group {
            $($(#[$about])* $group,)*
        }

        const TABLE: &[Row] = &[
            $(Row { group: Group::$group, sets: &[$($set),*], needs: &[$(Group::$need),*], about: $what },)*
        ];
    };
}

#[rustfmt::skip]
groups! {
    #[value(name = "dockerlaunch")]
    Program: [Appliance, All, Smallest, Essential, Initramfs, Bare], needs [], "the program between the kernel and Docker";
    Engine: [Appliance, All, Smallest, Essential], needs [], "runs containers";
    #[value(alias = "cli")]
    Client: [Appliance, All], needs [], "the docker command, for docker exec into the image";
    Iptables: [Appliance, All, Smallest], needs [], "published ports, and networks that reach the outside";
    /// Debian's kernels enable AppArmor, and dockerd then needs its parser.
    Apparmor: [Appliance, All], needs [], "profiles of containers on a kernel with AppArmor";
    Git: [Appliance, All], needs [Busybox], "docker build of a git URL";
    Ssh: [Appliance, All], needs [], "docker build of a git URL over ssh; DOCKER_HOST=ssh://";
    Certificates: [Appliance, All], needs [], "registries over TLS";
    Busybox: [Appliance, All, Initramfs], needs [], "ps (docker top), udhcpc, a shell";
    /// A link to busybox, which the kernel also starts.
    Modprobe: [Appliance, All, Initramfs], needs [Busybox], "the kernel's modules are loaded by it (a link to busybox)";
    Xz: [Appliance, All], needs [Busybox], "images and archives compressed with xz (a link to busybox)";
    FileSystems: [Appliance], needs [], "a state disk's file system is made and repaired";
    Libraries: [Appliance, All, Smallest, Essential], needs [], "what the programs are linked with";
    Modules: [Appliance, All, Initramfs], needs [], "the kernel's modules that Docker needs";
    /// os-release, and the mount points of the kernel and dockerlaunch.
    System: [Appliance, All, Smallest, Essential, Initramfs, Bare], needs [], "os-release and empty folders";
    /// Links into /usr, which dockerlaunch makes at boot unless the root is read-only.
    Links: [Appliance], needs [], "/bin, /lib, /lib64, /sbin, for a root that is never written";
    Bill: [Appliance, All], needs [], "the bill of materials: package, version, licence";
    /// What a scenario adds.
    #[value(hide = true)]
    Extra: [], needs [], "what is added";
}

impl Group {
    /// What an appliance uses.
    pub const APPLIANCE: &[Self] = &members::<{ count(Appliance) }>(Appliance);
    /// Everything that Docker can use.
    pub const ALL: &[Self] = &members::<{ count(All) }>(All);
    /// Nothing is missing that dockerlaunch's check calls required.
    pub const SMALLEST: &[Self] = &members::<{ count(Smallest) }>(Smallest);
    /// An initramfs that loads drivers and switches to the root.
    pub const INITRAMFS: &[Self] = &members::<{ count(Initramfs) }>(Initramfs);
    /// dockerlaunch and no daemon.
    pub const BARE: &[Self] = &members::<{ count(Bare) }>(Bare);

    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no group is hidden");
        value.get_name().to_owned()
    }

    /// What it is for.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    fn row(self) -> &'static Row {
        let row = TABLE.iter().find(|row| row.group == self);
        row.expect("`groups!` makes a row of each")
    }
}

const fn is_in(row: &Row, set: Set) -> bool {
    let mut at = 0;
    while at < row.sets.len() {
        if row.sets[at] as u8 == set as u8 {
            return true;
        }
        at += 1;
    }
    false
}

const fn count(set: Set) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < TABLE.len() {
        count += is_in(&TABLE[at], set) as usize;
        at += 1;
    }
    count
}

/// The groups of a set, in the table's order.
const fn members<const COUNT: usize>(set: Set) -> [Group; COUNT] {
    let mut groups = [Group::Program; COUNT];
    let (mut count, mut at) = (0, 0);
    while at < TABLE.len() {
        if is_in(&TABLE[at], set) {
            groups[count] = TABLE[at].group;
            count += 1;
        }
        at += 1;
    }
    groups
}

/// The groups without some of them; an error if the others cannot do without.
pub fn kept(groups: impl Iterator<Item = Group>, without: &[Group]) -> Result<Vec<Group>> {
    let kept: Vec<Group> = groups.filter(|group| !without.contains(group)).collect();
    for gone in without {
        ensure!(
            !is_in(gone.row(), Essential),
            "{} cannot be left out: without it no engine starts",
            gone.name()
        );
        let users = kept.iter().filter(|group| group.row().needs.contains(gone));
        let users: Vec<String> = users.map(|group| group.name()).collect();
        ensure!(
            users.is_empty(),
            "{} cannot be left out alone: {} need it; leave them out as well",
            gone.name(),
            users.join(", ")
        );
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_left_out_only_with_the_groups_that_need_it() {
        let refusal = |without: &[Group]| {
            kept(Group::ALL.iter().copied(), without)
                .unwrap_err()
                .to_string()
        };
        for row in TABLE.iter().filter(|row| is_in(row, Essential)) {
            let refused = format!("{} cannot be", row.group.name());
            assert!(refusal(&[row.group]).contains(&refused));
        }
        let alone = refusal(&[Group::Busybox, Group::Git]);
        assert!(alone.contains(": modprobe, xz need it"), "{alone}");
        let few = [Group::Busybox, Group::Git, Group::Modprobe, Group::Xz];
        let kept = kept(Group::ALL.iter().copied(), &few).unwrap();
        assert_eq!(kept.len(), Group::ALL.len() - few.len());
    }
}
