//! The kernel's modules that Docker and the guests use, with their dependencies, instead of all 115 MiB.
//!
//! A name may end in `*`. A name without it must exist, as a module or built in, so that a kernel without it is noticed when the
//! image is built and not when a container fails.
//!
//! The files are not compressed, and signed as the kernel was: the signatures can be left out, with the consequences in `UNSIGNED`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};

use super::{
    groups::Group,
    signature,
    tree::{Entry, Tree},
};
use crate::host::tools;

/// What modules without signatures mean for the user.
pub const UNSIGNED: &str = "the modules have no signatures: the kernel has none to check (emulated, the first check takes 96 ms), is tainted (E), and under lockdown (Secure Boot) or with module.sig_enforce it refuses the modules";

const FOLDER: &str = "usr/lib/modules";

#[rustfmt::skip]
const NAMES: &[&str] = &[
    // The virtual machine's devices, its power button among them.
    "nvme", "virtio_pci", "virtio_net", "virtio_blk*", "virtio_scsi*", "virtio_rng*", "virtio_balloon*", "button*", "evdev*",
    // File systems of the engine, of state disks, of volumes.
    "overlay", "ext4", "xfs*", "btrfs*", "loop*", "fuse*", "squashfs*", "erofs*", "isofs*", "vfat*", "nls_*", "crc32c*",
    // Networks of containers.
    "bridge", "br_netfilter", "veth", "macvlan", "ipvlan", "ipvtap*", "vxlan", "dummy", "tun*", "8021q*", "tap*",
    // Packet filters: nftables for iptables, and swarm's load balancing and encryption.
    "nf_tables", "nft_*", "nf_nat", "nf_nat_*", "nf_conntrack", "nf_conntrack_*", "nf_reject_*", "nf_log_*", "nf_defrag_*", "nfnetlink*",
    "x_tables", "xt_*", "ip_tables*", "iptable_*", "ip6_tables*", "ip6table_*", "ipt_*", "ip6t_*", "ip_set*", "ip_vs*",
    "xfrm_user*", "xfrm_algo*", "esp4*", "esp6*", "sch_ingress*", "sch_htb*", "sch_fq*", "sch_tbf*", "cls_*",
    "binfmt_misc*", "bonding*", "af_packet*",
];

/// modules.dep: each module's file, and those it needs.
struct Index {
    /// By name, in which `-` and `_` are the same.
    files: BTreeMap<String, String>,
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
    /// modules.softdep: what a module requests once it is loaded.
    asks: BTreeMap<String, Vec<String>>,
}

/// The only kernel's version.
pub fn version(packages: &Path) -> Result<String> {
    let folder = packages.join(FOLDER);
    let mut versions =
        fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let version = versions
        .next()
        .context("no package brings a kernel's modules")??
        .file_name();
    ensure!(
        versions.next().is_none(),
        "{} holds several kernels",
        folder.display()
    );
    Ok(version.to_string_lossy().into_owned())
}

pub fn fill(tree: &mut Tree, packages: &Path, unsigned: bool) -> Result<()> {
    let version = version(packages)?;
    let source = packages.join(FOLDER).join(&version);
    let chosen = Index::read(&source)?.chosen(NAMES)?;

    // depmod indexes a folder that holds these and no others.
    let stage = tempfile::tempdir()?;
    let folder = format!("{FOLDER}/{version}");
    let staged = stage.path().join(&folder);
    let index =
        fs::read_dir(&source)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let made = |name: &str| name.starts_with("modules.builtin") || name == "modules.order";
    let kept = index.filter(|name: &Result<String>| {
        name.as_ref()
            .map_or(true, |name| made(name) && !name.ends_with(".bin"))
    });
    for file in chosen.into_iter().map(Ok).chain(kept) {
        let file = file?;
        let to = staged.join(&file);
        fs::create_dir_all(to.parent().expect("it is below the stage"))?;
        fs::copy(source.join(&file), &to).with_context(|| format!("copy {file}"))?;
        if file.contains('/') {
            ensure!(
                file.ends_with(".ko"),
                "{file} is compressed; only .ko.xz is decompressed where packages are unpacked"
            );
            let mut entry = Entry::file(Group::Modules, source.join(&file))?;
            if unsigned {
                entry.content = signature::stripped(&source.join(&file))?;
            }
            tree.put(&format!("{folder}/{file}"), entry);
        }
    }
    tools::run(tools::depmod(&stage.path().join("usr")).arg(&version))?;
    for entry in fs::read_dir(&staged)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            tree.put(
                &format!("{folder}/{name}"),
                Entry::bytes(Group::Modules, 0o644, fs::read(entry.path())?),
            );
        }
    }
    Ok(())
}

impl Index {
    fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            fs::read_to_string(folder.join(name))
                .with_context(|| format!("read {name} in {}", folder.display()))
        };
        Ok(Self::parse(
            &read("modules.dep")?,
            &read("modules.builtin")?,
            &read("modules.softdep")?,
        ))
    }

    fn parse(dep: &str, builtin: &str, softdep: &str) -> Self {
        let mut index = Self {
            files: BTreeMap::new(),
            needs: BTreeMap::new(),
            builtin: BTreeSet::new(),
            asks: BTreeMap::new(),
        };
        for (file, needs) in dep.lines().filter_map(|line| line.split_once(':')) {
            index.files.insert(name(file), file.to_owned());
            index
                .needs
                .insert(name(file), needs.split_whitespace().map(name).collect());
        }
        index.builtin = builtin.lines().map(name).collect();
        for line in softdep.lines() {
            // softdep btrfs pre: crc32c post: xxhash64
            let mut words = line.split_whitespace().filter(|word| !word.ends_with(':'));
            if let (Some("softdep"), Some(module)) = (words.next(), words.next()) {
                index
                    .asks
                    .entry(name(module))
                    .or_default()
                    .extend(words.map(name));
            }
        }
        index
    }

    /// The files of the named modules and of all their dependencies.
    fn chosen(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        let mut open: Vec<&String> = Vec::new();
        for wanted in names {
            match wanted.strip_suffix('*') {
                Some(prefix) => {
                    open.extend(self.files.keys().filter(|name| name.starts_with(prefix)))
                }
                None => match self.files.get_key_value(*wanted) {
                    Some((name, _)) => open.push(name),
                    None => ensure!(
                        self.builtin.contains(*wanted),
                        "the kernel has no module `{wanted}`, which Docker needs"
                    ),
                },
            }
        }
        let mut chosen = BTreeMap::new();
        while let Some(name) = open.pop() {
            let Some(file) = self.files.get(name) else {
                continue;
            }; // Built in, or requested and not there.
            if chosen.insert(name, file.clone()).is_none() {
                open.extend(
                    self.needs
                        .get(name)
                        .into_iter()
                        .chain(self.asks.get(name))
                        .flatten(),
                );
            }
        }
        Ok(chosen.into_values().collect())
    }
}

/// `kernel/drivers/net/ipvlan/ip-vlan.ko.xz` is the module `ip_vlan`.
fn name(file: &str) -> String {
    let last = file.rsplit('/').next().unwrap_or(file);
    last.split(".ko").next().unwrap_or(last).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_brings_its_dependencies_and_requests() {
        let index = Index::parse(
            "kernel/a.ko.xz: kernel/b-b.ko.xz\nkernel/b-b.ko.xz:\nkernel/xt_1.ko.xz:\nkernel/c.ko.xz:\nkernel/d.ko.xz:\n",
            "kernel/fs/ext4/ext4.ko\n",
            "# comment\nsoftdep b_b pre: c built_in\n",
        );
        let chosen = |names: &[&str]| {
            index
                .chosen(names)
                .map(|files| files.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(
            chosen(&["a", "ext4", "xt_*"]).unwrap(),
            [
                "kernel/a.ko.xz",
                "kernel/b-b.ko.xz",
                "kernel/c.ko.xz",
                "kernel/xt_1.ko.xz"
            ]
        );
        assert_eq!(chosen(&["nothing*"]).unwrap(), [""; 0]);
        assert!(
            chosen(&["nothing"])
                .unwrap_err()
                .to_string()
                .contains("no module `nothing`")
        );
    }
}
