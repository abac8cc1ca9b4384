//! The options of `cargo qemu boot` for an appliance: a read-only root, an initramfs that switches to it, a state disk, an address
//! from a DHCP server.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{
    disks::{self, Bus, Drive},
    engine::launch::{ADDRESS, DRIVER},
    host::needs::Need,
    image::{Format, Group, Image},
    machine::Root,
};

/// An appliance
#[derive(Args)]
#[command(next_help_heading = "Appliance")]
pub(crate) struct Appliance {
    /// A state disk of this size, made at the first use and kept for later boots: 4G, 800M
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    state: Option<u64>,
    /// A read-only root: the disk mounted `ro`, or with --rdinit-root an erofs
    #[arg(long)]
    read_only: bool,
    /// A root without a free block
    #[arg(long, conflicts_with = "read_only")]
    full_root: bool,
    /// Start on a small initramfs, which loads the disk's driver and switches to the root there
    #[arg(long)]
    rdinit_root: bool,
    /// Where the guest's address comes from
    #[arg(long, value_enum, default_value = "static")]
    net: Net,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Net {
    /// DOCKER_LAUNCH_IP
    Static,
    /// ip=dhcp
    Dhcp,
}

/// The drivers of the disks, the network and a read-only root.
const DRIVERS: &str = "DOCKER_LAUNCH_MODULES=virtio_pci,virtio_net,virtio_blk,erofs";

impl Appliance {
    pub(super) fn format(&self) -> Format {
        if self.read_only && self.rdinit_root {
            Format::Erofs
        } else {
            Format::Disk
        }
    }

    /// The programs that the images of these options need.
    pub(super) fn need(&self) -> Need {
        if self.rdinit_root {
            Need::Initramfs
        } else {
            Need::Guest
        }
    }

    /// A guest with none of these options has the smaller image.
    pub(super) fn groups(&self) -> &'static [Group] {
        if self.is_plain() {
            Group::ALL
        } else {
            Group::APPLIANCE
        }
    }

    fn is_plain(&self) -> bool {
        self.state.is_none() && !self.read_only && !self.rdinit_root && self.net == Net::Static
    }

    /// What the kernel starts from, and the disks beside it.
    pub(super) fn disks(&self, image: &Image<'_>) -> Result<(Root, Vec<Drive>)> {
        let built = image.built()?;
        let root = Drive::root(if self.full_root {
            disks::full(&built, "boot")?
        } else {
            built
        });
        let mut drives = Vec::new();
        let root = match (self.rdinit_root, self.read_only) {
            _ if image.format == Format::Initramfs => Root::Initramfs(root.path),
            (true, _) => {
                drives.push(Drive {
                    bus: Bus::Virtio,
                    ..root
                });
                let switching = Image {
                    unsigned_modules: image.unsigned_modules,
                    ..Image::switching(&image.name, image.packages, image.program)
                };
                Root::Initramfs(switching.built()?)
            }
            (false, true) => Root::ReadOnly(root),
            (false, false) => Root::Disk(root),
        };
        if let Some(bytes) = self.state {
            drives.push(disks::lasting("boot", bytes)?);
        }
        Ok((root, drives))
    }

    /// Words of the kernel command line.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = match self.net {
            Net::Static => vec![ADDRESS],
            Net::Dhcp => vec!["ip=dhcp"],
        };
        words.push(if self.is_plain() { DRIVER } else { DRIVERS });
        if self.rdinit_root {
            words.extend(["root=/dev/vda", if self.read_only { "ro" } else { "rw" }]);
        }
        if self.state.is_some() {
            words.push(if self.rdinit_root {
                "DOCKER_LAUNCH_STATE=/dev/vdb"
            } else {
                "DOCKER_LAUNCH_STATE=/dev/vda"
            });
            words.push("DOCKER_LAUNCH_STATE_FORMAT=ext4");
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

/// A number of bytes; K, M, G or T after it multiply it by powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let units = ["K", "M", "G", "T"].into_iter().zip(1..);
    let (number, times) = units
        .filter_map(|(unit, times)| Some((text.strip_suffix(unit)?, times)))
        .next()
        .unwrap_or((text, 0));
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << (10 * times)))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "a size is a number with K, M, G or T behind it: 4G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(bytes("4G"), Ok(4 << 30));
        for wrong in ["", "G", "4GB", "0", "-1", "99999999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
