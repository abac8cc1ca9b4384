//! The formats of an image: what each holds, and what this machine needs to make it.

use clap::ValueEnum;

use super::groups::Group;
use crate::host::needs::Need;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// A raw disk with ext4 on it and no partitions.
    Disk,
    /// A read-only file system, lz4-compressed.
    Erofs,
    /// A read-only file system, zstd-compressed.
    Squashfs,
    /// A cpio archive that the kernel unpacks, zstd-compressed.
    Initramfs,
    /// A tar archive for `ADD files.tar /` in a Dockerfile, or `docker import`.
    Tar,
    /// A container image for `docker load`, skopeo and registries: without the kernel's modules.
    Oci,
}

impl Format {
    /// What this machine must have to make one.
    pub fn need(self) -> Need {
        match self {
            Self::Erofs | Self::Squashfs => Need::ReadOnly,
            Self::Initramfs => Need::Initramfs,
            Self::Disk | Self::Tar | Self::Oci => Need::Image,
        }
    }

    /// The groups it holds. A container uses its host's kernel, so it has no modules. An archive has no links into /usr: they would
    /// replace folders of the root that it is unpacked on.
    pub fn groups(self, appliance: bool) -> impl Iterator<Item = Group> {
        let groups = if appliance {
            Group::APPLIANCE
        } else {
            Group::ALL
        };
        let (without, with): (&[Group], &[Group]) = match self {
            Self::Oci if appliance => (&[Group::Modules], &[]),
            Self::Oci => (&[Group::Modules], &[Group::Links]),
            Self::Tar => (&[Group::Modules, Group::Links], &[]),
            Self::Disk | Self::Erofs | Self::Squashfs | Self::Initramfs => (&[], &[]),
        };
        let kept = groups.iter().filter(move |group| !without.contains(group));
        kept.chain(with).copied()
    }

    /// The end of its file's name.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Disk => "ext4",
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
            Self::Initramfs => "cpio.zst",
            Self::Tar => "tar",
            Self::Oci => "oci.tar",
        }
    }
}
