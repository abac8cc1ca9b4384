//! What this machine must have: a few programs of Debian. As root they are installed, which is said; otherwise the one
//! command that installs them is printed.

use std::{env, path::Path, process::Command};

use anyhow::{Result, bail, ensure};

use crate::{apt::KEYRING, run};

/// What a task needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To fetch packages and to build an image.
    Image,
    /// To run a guest.
    Guest,
    /// To make disks that are more than blank.
    Disks,
    /// To make an image that is never written.
    ReadOnly,
    /// To read a container image as its users do, and to compress an archive.
    Containers,
    /// To run all host tests; disks and read-only images have their own needs.
    HostTests,
    /// To ask an engine by Docker's library for Python.
    Python,
    /// To make an engine's certificates.
    Certificates,
    /// To make what the proofs of the prerequisites are given.
    Proofs,
    /// To compress an initramfs.
    Initramfs,
}

/// A program (or a file, with a slash) and the package that brings it.
const TABLE: &[(Need, &str, &str)] = &[
    (Need::Image, "dpkg-deb", "dpkg"),
    (Need::Image, KEYRING, "debian-archive-keyring"),
    (Need::Image, "depmod", "kmod"),
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

/// Makes sure that what the tasks need is there.
pub fn ready(needs: &[Need]) -> Result<()> {
    let mut packages = missing(needs);
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    ensure!(
        found("apt-get"),
        "this needs Debian, or a system made of it: there is no apt-get, and missing are {}",
        packages.join(", ")
    );
    let names = packages.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!(
            "some programs are missing, install them with\n  sudo apt-get install --no-install-recommends {names}"
        );
    }
    eprintln!("installing {names} on this machine, as you are root");
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-y"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run::output(apt().arg("update"))?;
    run::output(
        apt()
            .args(["install", "--no-install-recommends"])
            .args(&packages),
    )?;
    let still = missing(needs);
    ensure!(
        still.is_empty(),
        "installed, and still something of {} is missing",
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

/// A file, or a program in PATH or where root's programs are, which not every user's PATH names.
fn found(thing: &str) -> bool {
    if thing.contains('/') {
        return Path::new(thing).exists();
    }
    env::split_paths(&search_path()).any(|folder| folder.join(thing).is_file())
}

/// depmod of the kernel that lies below `base`/lib/modules; the version follows.
pub fn depmod(base: &Path) -> Command {
    let mut command = Command::new("depmod");
    command.env("PATH", search_path()).arg("-b").arg(base);
    command
}

/// PATH with the folders of root's programs.
pub fn search_path() -> String {
    format!(
        "{}:/usr/local/sbin:/usr/sbin:/sbin",
        env::var("PATH").unwrap_or_default()
    )
}
