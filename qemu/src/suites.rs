//! The suites of Debian that the guests are made of: each a kernel and an engine that were released together.

use crate::packages::{self, Set, Unpacked};

use anyhow::Result;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Suite {
    Bookworm,
    Trixie,
    /// It moves: whatever it holds today.
    Sid,
}

/// What every suite's guest is made of. The kernel is the one its meta package depends on.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "docker.io",
    "iptables",
    "apparmor",
    "busybox-static",
    "git",
    "openssh-client",
    "ca-certificates",
    "base-files",
    "e2fsprogs",
    "xfsprogs",
    "btrfs-progs",
    "udhcpc",
];

/// Since trixie the client is a package of its own.
const CLIENT: &str = "docker-cli";

/// What those depend on for their installation scripts, as an initramfs, or to be configured: a guest does without.
const PRESENT: &[&str] = &[
    "adduser",
    "awk",
    "debconf",
    "init-system-helpers",
    "initramfs-tools",
    "linux-initramfs-tool",
    "kmod",
    "liberror-perl",
    "linux-base",
    "netbase",
    "openssl",
    "passwd",
    "perl",
    "python3",
    "systemd",
];

impl Suite {
    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// Debian's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    pub fn unpacked(self, mirror: &str) -> Result<Unpacked> {
        let client = (self != Self::Bookworm).then_some(CLIENT);
        let packages = PACKAGES
            .iter()
            .copied()
            .chain(client)
            .map(str::to_owned)
            .collect();
        let suites = match self {
            Self::Bookworm => &["bookworm"],
            Self::Trixie => &["trixie"],
            Self::Sid => &["sid"],
        };
        let set = Set {
            name: self.name().to_owned(),
            suites,
            packages,
            present: PRESENT,
        };
        packages::unpacked(&set, mirror)
    }
}
