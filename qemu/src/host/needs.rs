//! Programs of Debian that this machine must have. Root gets them installed, with a note; any other user gets the command that
//! installs them.

use std::{env, path::Path, process::Command};

use anyhow::{Result, bail, ensure};

use super::tools::{self, search_path};

/// The keys that apt checks the mirror's signature with.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A task, and so the programs that it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Fetch packages and build an image.
    Image,
    /// Run a guest.
    Guest,
    /// Make disks that are not blank.
    Disks,
    /// Make a read-only image: erofs, squashfs.
    ReadOnly,
    /// Read a container image as its users do, and compress an archive.
    Containers,
    /// Run all host tests; `Disks` and `ReadOnly` are needed for them, too.
    HostTests,
    /// Use Docker's library for Python.
    Python,
    /// Make certificates for an engine.
    Certificates,
    /// To make what the proofs of the prerequisites are given.
    Proofs,
    /// To compress an initramfs.
    Initramfs,
}

/// A program (or a file: it has a slash) and the package that brings it.
const TABLE: &[(Need, &str, &str)] = &[
    (Need::Image, "dpkg-deb", "dpkg"),
    (Need::Image, KEYRING, "debian-archive-keyring"),
    (Need::Image, "depmod", "kmod"),
    (Need::Image, "xz", "xz-utils"),
    (Need::Image, "mkfs.ext4", "e2fsprogs"),
    (Need::Image, "unshare", "util-linux"),
    (Need::Guest, "qemu-system-x86_64", "qemu-system-x86"),
    (Need::Guest, "setpriv", "util-linux"),
    (Need::Disks, "mkfs.ext4", "e2fsprogs"),
    (Need::Disks, "mkfs.xfs", "xfsprogs"),
    (Need::Disks, "mkfs.btrfs", "btrfs-progs"),
    (Need::Disks, "sfdisk", "fdisk"),
    (Need::ReadOnly, "mkfs.erofs", "erofs-utils"),
    (Need::ReadOnly, "mksquashfs", "squashfs-tools"),
    (Need::Containers, "skopeo", "skopeo"),
    (Need::Containers, "xz", "xz-utils"),
    (Need::HostTests, "busybox", "busybox-static"),
    (Need::Python, "python3", "python3"),
    (Need::Python, "pip3", "python3-pip"),
    (Need::Certificates, "openssl", "openssl"),
    (Need::Proofs, "openssl", "openssl"),
    (Need::Proofs, "xz", "xz-utils"),
    (Need::Initramfs, "zstd", "zstd"),
];

/// Makes sure that the programs of these tasks are there.
pub fn ready(needs: &[Need]) -> Result<()> {
    let mut packages = missing(needs);
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    ensure!(
        found("apt-get"),
        "this needs Debian or a system derived from it: there is no apt-get to install {names}"
    );
    if !rustix::process::geteuid().is_root() {
        bail!(
            "some programs are missing, install them with\n  sudo apt-get install --no-install-recommends {names}"
        );
    }
    eprintln!("installing {names} on this machine, because you are root");
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-y"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    tools::run(apt().arg("update"))?;
    tools::run(
        apt()
            .args(["install", "--no-install-recommends"])
            .args(&packages),
    )?;
    let still = missing(needs);
    ensure!(
        still.is_empty(),
        "apt-get has installed the packages, and programs of {} are still missing",
        still.join(", ")
    );
    Ok(())
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let rows = TABLE
        .iter()
        .filter(|(need, thing, _)| needs.contains(need) && !found(thing));
    rows.map(|(_, _, package)| *package).collect()
}

/// A file, or a program in PATH or in the folders of root's programs.
fn found(thing: &str) -> bool {
    if thing.contains('/') {
        return Path::new(thing).exists();
    }
    env::split_paths(&search_path()).any(|folder| folder.join(thing).is_file())
}
