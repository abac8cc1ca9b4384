//! The suites of Debian that the guests are made of: each has a kernel and an engine that were released together. Bullseye is
//! there for its kernel alone, the oldest that the program supports. One table (`suites!`) has them all.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

use super::{
    set::{Set, Unpacked},
    store,
};

/// What every guest with an engine is made of. The kernel is the one its meta package depends on.
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
const CLIENT: &[&str] = &["docker-cli"];

/// Makes the type, and its rows: Debian's name, which apt knows, and the packages of its guests.
macro_rules! suites {
    (
        without an engine: { $($(#[$old_about:meta])* $old:ident: $old_name:literal, $old_packages:expr;)* }
        with an engine: { $($(#[$about:meta])* $suite:ident: $name:literal, $packages:expr;)* }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
        pub enum Suite {
            $($(#[$old_about])* #[value(skip)] $old,)*
            $($(#[$about])* $suite,)*
        }

        const TABLE: &[Row] = &[
            $(Row { suite: Suite::$old, name: $old_name, apt: &[$old_name], packages: $old_packages },)*
            $(Row { suite: Suite::$suite, name: $name, apt: &[$name], packages: $packages },)*
        ];

        impl Suite {
            /// The suites with an engine.
            pub const ALL: &[Self] = &[$(Self::$suite,)*];
        }
    };
}

suites! {
    without an engine: {
        /// Linux 5.10.
        Bullseye: "bullseye", &[KERNEL];
    }
    with an engine: {
        Bookworm: "bookworm", &[PACKAGES];
        Trixie: "trixie", &[PACKAGES, CLIENT];
        /// Debian unstable: it changes every day.
        Sid: "sid", &[PACKAGES, CLIENT];
    }
}

struct Row {
    suite: Suite,
    name: &'static str,
    apt: &'static [&'static str],
    packages: &'static [&'static [&'static str]],
}

/// Dependencies that only serve installation scripts, an initramfs or configuration: a guest does without.
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

/// More packages of a suite, for a few guests: a set of its own, named after the suite and this.
type More = (&'static str, &'static [&'static str]);

/// What serves the engine something: a registry, and git over ssh.
const SERVERS: More = ("-servers", &["docker-registry", "dropbear-bin"]);

/// Docker's clients beside its own command, as plugins of it: bookworm has one, and that is no plugin.
const CLIENTS: More = ("-clients", &["docker-compose", "docker-buildx"]);

/// The smallest root of Debian's own.
const ROOT: More = (
    "-root",
    &["base-files", "base-passwd", "coreutils", "dash", "libc-bin"],
);

/// A program that starts a daemon as PID 1 and does nothing else, to compare with. The other one, tini-static, is docker-init.
const INITS: More = ("-inits", &["catatonit"]);

/// The names of all sets of packages that are fetched for guests.
pub fn downloads() -> impl Iterator<Item = String> {
    let suffixes = ["", SERVERS.0, CLIENTS.0, ROOT.0, INITS.0];
    TABLE
        .iter()
        .flat_map(move |row| suffixes.map(|suffix| format!("{}{suffix}", row.name)))
}

impl Suite {
    /// Debian's name for it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What every guest is made of.
    pub fn unpacked(self, mirror: &str) -> Result<Unpacked> {
        store::unpacked(&self.guests(), mirror)
    }

    /// The same packages in a folder of the caller's.
    pub fn unpacked_again(self, mirror: &str, folder: &Path) -> Result<Unpacked> {
        store::unpacked_again(&self.guests(), mirror, folder)
    }

    /// For guests that serve the engine something.
    pub fn servers(self, mirror: &str) -> Result<Unpacked> {
        self.more(SERVERS, mirror)
    }

    /// For the guest that many clients use.
    pub fn clients(self, mirror: &str) -> Result<Unpacked> {
        self.more(CLIENTS, mirror)
    }

    /// A root of Debian's own, to build images on.
    pub fn root(self, mirror: &str) -> Result<Unpacked> {
        self.more(ROOT, mirror)
    }

    /// Small inits, to compare with.
    pub fn inits(self, mirror: &str) -> Result<Unpacked> {
        self.more(INITS, mirror)
    }

    fn more(self, (suffix, packages): More, mirror: &str) -> Result<Unpacked> {
        store::unpacked(&self.set(suffix, &[packages]), mirror)
    }

    fn guests(self) -> Set {
        self.set("", self.row().packages)
    }

    fn set(self, suffix: &str, packages: &[&[&str]]) -> Set {
        Set {
            name: format!("{}{suffix}", self.name()),
            suites: self.row().apt,
            packages: packages.concat().into_iter().map(str::to_owned).collect(),
            present: PRESENT,
        }
    }

    fn row(self) -> &'static Row {
        let row = TABLE.iter().find(|row| row.suite == self);
        row.expect("`suites!` makes a row of each")
    }
}
