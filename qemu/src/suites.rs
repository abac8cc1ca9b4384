//! The suites of Debian that the guests are made of: each a kernel and an engine that were released together. Bullseye has the
//! oldest kernel that the program promises to run on, and is there for that alone.

use std::path::Path;

use crate::packages::{self, Set, Unpacked};

use anyhow::Result;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Suite {
    /// Linux 5.10, and no engine.
    #[value(skip)]
    Bullseye,
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
];

/// What the guests of a suite without an engine are made of.
const KERNEL: &[&str] = &["linux-image-cloud-amd64", "busybox-static", "base-files"];

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

/// What a few guests need beside it, because they serve the engine something: a registry, and git over ssh.
const SERVERS: &[&str] = &["docker-registry", "dropbear-bin"];

/// Docker's clients beside its own command, as plugins of it: bookworm has one, and that is no plugin.
const CLIENTS: &[&str] = &["docker-compose", "docker-buildx"];

/// The smallest root that is Debian's.
const ROOT: &[&str] = &["base-files", "base-passwd", "coreutils", "dash", "libc-bin"];

/// The names of all sets of packages that are fetched for guests.
pub fn downloads() -> impl Iterator<Item = String> {
    let sets = |suite: Suite| {
        let name = suite.name();
        PARTS.map(|part| format!("{name}{part}"))
    };
    let all = [Suite::Bullseye].into_iter();
    all.chain(Suite::ALL.iter().copied()).flat_map(sets)
}

/// A suite's sets, by what stands behind its name.
const PARTS: [&str; 4] = ["", "-servers", "-clients", "-root"];

impl Suite {
    /// Those with an engine.
    pub const ALL: &[Self] = &[Self::Bookworm, Self::Trixie, Self::Sid];

    /// Debian's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// What every guest is made of.
    pub fn unpacked(self, mirror: &str) -> Result<Unpacked> {
        packages::unpacked(&self.guests(), mirror)
    }

    /// The same packages in a folder of the caller's.
    pub fn unpacked_again(self, mirror: &str, folder: &Path) -> Result<Unpacked> {
        packages::unpacked_again(&self.guests(), mirror, folder)
    }

    /// What the guests that serve something have more.
    pub fn servers(self, mirror: &str) -> Result<Unpacked> {
        let name = format!("{}-servers", self.name());
        packages::unpacked(&self.set(name, SERVERS.iter().copied()), mirror)
    }

    /// What the guest that is asked by many clients has more.
    pub fn clients(self, mirror: &str) -> Result<Unpacked> {
        let name = format!("{}-clients", self.name());
        packages::unpacked(&self.set(name, CLIENTS.iter().copied()), mirror)
    }

    /// A root of Debian's own, for images that are made from it.
    pub fn root(self, mirror: &str) -> Result<Unpacked> {
        let name = format!("{}-root", self.name());
        packages::unpacked(&self.set(name, ROOT.iter().copied()), mirror)
    }

    fn guests(self) -> Set {
        let (packages, client) = match self {
            Self::Bullseye => (KERNEL, None),
            Self::Bookworm => (PACKAGES, None),
            Self::Trixie | Self::Sid => (PACKAGES, Some(CLIENT)),
        };
        let packages = packages.iter().copied().chain(client);
        self.set(self.name().to_owned(), packages)
    }

    fn set(self, name: String, packages: impl Iterator<Item = &'static str>) -> Set {
        let suites = match self {
            Self::Bullseye => &["bullseye"],
            Self::Bookworm => &["bookworm"],
            Self::Trixie => &["trixie"],
            Self::Sid => &["sid"],
        };
        Set {
            name,
            suites,
            packages: packages.map(str::to_owned).collect(),
            present: PRESENT,
        }
    }
}
