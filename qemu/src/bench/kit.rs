//! The image of the guests in which only a launch is measured: every PID 1 that is compared, a daemon of a few instructions, and
//! what a launch looks for.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Result;

use super::guest::{self, Guests, bytes, in_memory, program};
use crate::{
    image::{self, Entry, Format, Group, Image},
    machine::acceleration::Acceleration,
    packages::suites::Suite,
    program::{self as programs, Features},
};

/// What is measured, and with what.
pub(crate) struct Launches<'l> {
    pub(crate) suite: Suite,
    pub(crate) mirror: &'l str,
    /// The binary of the original, which is written in Go.
    pub(crate) original: Option<PathBuf>,
    pub(crate) verbose: bool,
}

/// The guests, before a row is chosen.
pub(super) struct Kit {
    pub(super) guests: Guests,
    /// Of the files of the image, by path.
    pub(super) sizes: BTreeMap<String, u64>,
}

pub(super) const DOCKERLAUNCH: &str = "/bench/dockerlaunch";
/// These guests have no containerd that could be started.
pub(super) const NO_CONTAINERD: &[&str] = &["DOCKER_LAUNCH_CONTAINERD=daemon"];
pub(super) const SCRIPT: &[&str] = &["/bench/init", "dockerd"];
pub(super) const ORIGINAL: &str = "original";

const GROUPS: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Xz,
    Group::Modules,
];

/// Programs, and a certificate.
const STUB: &str = "-----BEGIN CERTIFICATE-----\n";
/// dockerlaunch looks for what Docker needs, and these stand for it.
const STUBS: &[&str] = &[
    "usr/bin/containerd",
    "usr/bin/containerd-shim-runc-v2",
    "usr/sbin/runc",
    "usr/sbin/docker-proxy",
    "usr/bin/docker-init",
    "usr/sbin/iptables",
    "usr/sbin/iptables-save",
    "usr/sbin/iptables-restore",
    "usr/sbin/ip6tables",
    "usr/sbin/ip6tables-save",
    "usr/sbin/ip6tables-restore",
    "usr/sbin/apparmor_parser",
    "usr/bin/git",
    "usr/lib/git-core/git-submodule",
    "usr/lib/git-core/git-remote-http",
    "usr/bin/ssh",
    "usr/etc/ssl/certs/ca-certificates.crt",
];

/// Loads the modules in a shell beside PID 1, and leaves nothing else behind. nf_tables is among them, because the kernel would
/// load it when dockerlaunch asks for it.
pub(super) const LOADS: &str = "/usr/bin/busybox mount -t proc proc /proc; ln -s usr/lib /lib; \
    modprobe -a overlay bridge br_netfilter veth nf_nat nf_tables button xt_addrtype xt_conntrack xt_MASQUERADE; \
    rm /lib; umount /proc";
/// MiB.
const MEMORY: u32 = 1024;
/// Each takes 20 s on a machine that does nothing else.
pub(super) const WITHIN: Duration = Duration::from_secs(300);

impl Kit {
    /// `rows`: the name and the content of each row's file.
    pub(super) fn new(name: &str, wanted: &Launches, rows: Vec<(String, Vec<u8>)>) -> Result<Self> {
        let packages = wanted.suite.unpacked(wanted.mirror)?;
        let inits = wanted.suite.inits(wanted.mirror)?;
        let none = programs::built(&Features::Only(Vec::new()), wanted.mirror)?;
        let default = programs::built(&Features::Default, wanted.mirror)?;
        let [start, daemon, floor] =
            programs::stopwatch(["start", "daemon", "floor"], wanted.mirror)?;
        let mut extra = vec![
            program("probe", &programs::probe()?)?,
            program("start", &start)?,
            program("floor", &floor)?,
            program("dockerlaunch-none", &none)?,
            program("dockerlaunch", &default)?,
            program("tini-static", &packages.root.join("usr/bin/docker-init"))?,
            program("catatonit", &inits.root.join("usr/bin/catatonit"))?,
            bytes("bench/init", 0o755, include_str!("init.sh")),
            (
                "usr/sbin/dockerd".to_owned(),
                Entry::file(Group::Extra, daemon)?,
            ),
        ];
        if let Some(original) = &wanted.original {
            extra.push(program(ORIGINAL, original)?);
        }
        extra.extend(STUBS.iter().map(|path| bytes(path, 0o755, STUB)));
        let row = |(name, content)| bytes(&format!("bench/rows/{name}"), 0o644, content);
        extra.extend(rows.into_iter().map(row));
        let size = |(path, entry): &(String, Entry)| Ok((path.clone(), entry.size()?));
        let sizes = extra.iter().map(size).collect::<Result<_>>()?;
        let image = Image {
            name: format!("bench-{name}-{}", wanted.suite.name()),
            packages: &packages,
            more: Some(&inits),
            program: &default,
            groups: GROUPS,
            extra,
            format: Format::Initramfs,
            unsigned_modules: false,
        };
        let image = in_memory(&image.built()?)?;
        let guests = Guests {
            acceleration: Acceleration::Counted,
            kernel: image::kernel(&packages)?,
            memory: MEMORY + guest::mebibytes(&image)?,
            image,
            verbose: wanted.verbose,
        };
        Ok(Self { guests, sizes })
    }

    /// Of a program that a row names.
    pub(super) fn size(&self, program: &str) -> u64 {
        let size = self.sizes.get(program.trim_start_matches('/'));
        size.copied().unwrap_or_default()
    }
}
