//! Signatures of what a disk may hold besides the supported file systems: members of RAID arrays and volume groups, encrypted
//! volumes, swap, other file systems. Places and bytes are from libblkid (util-linux, libblkid/src/superblocks).

pub(crate) struct Signature {
    /// libblkid's name for the type.
    pub(crate) name: &'static str,
    place: Place,
    pub(crate) magic: &'static [u8],
}

/// Bytes from the device's beginning, or from its end.
#[derive(Clone, Copy)]
enum Place {
    Start(u32),
    /// The same, for a file system: `rootfstype=` may name it.
    FileSystem(u32),
    /// `back` bytes before the device's end, whose lowest `bits` bits are cleared first.
    End {
        bits: u8,
        back: u32,
    },
}
use Place::{End, FileSystem, Start};

impl Signature {
    pub(crate) fn is_at_the_end(&self) -> bool {
        matches!(self.place, End { .. })
    }

    pub(crate) fn is_file_system(&self) -> bool {
        matches!(self.place, FileSystem(_))
    }

    /// Its place on a device of `size` bytes.
    pub(crate) fn place(&self, size: u64) -> Option<u64> {
        match self.place {
            Start(place) | FileSystem(place) => Some(place.into()),
            End { bits, back } => (size >> bits << bits).checked_sub(back.into()),
        }
    }
}

const fn member(name: &'static str, place: Place, magic: &'static [u8]) -> Signature {
    Signature { name, place, magic }
}

const fn file_system(name: &'static str, place: u32, magic: &'static [u8]) -> Signature {
    Signature {
        name,
        place: FileSystem(place),
        magic,
    }
}

/// The end is rounded down to a multiple of `align`, a power of two.
const fn end(align: u32, back: u32) -> Place {
    let bits = align.trailing_zeros() as u8;
    End { bits, back }
}

/// 60 bytes into the last 4 KiB.
const DRBD: Place = end(1, 4096 - 60);

const RAID: &str = "linux_raid_member";
const LVM2: &str = "LVM2_member";
const LUKS: &str = "crypto_LUKS";

pub(crate) const SIGNATURES: &[Signature] = &[
    // md: the magic and the major version. 1.0 is at the end, 1.1 at the beginning, 1.2 at 4 KiB.
    member(RAID, end(4096, 8192), b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    member(RAID, Start(0), b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    member(RAID, Start(4096), b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    // 0.90, in the byte order of the machine that made it.
    member(RAID, end(65536, 65536), b"\xfc\x4e\x2b\xa9\0\0\0\0"),
    member(RAID, end(65536, 65536), b"\xa9\x2b\x4e\xfc\0\0\0\0"),
    member("ddf_raid_member", end(512, 512), b"\xde\x11\xde\x11"),
    member("isw_raid_member", end(512, 1024), b"Intel Raid ISM Cfg Sig"),
    // LVM2's label is in one of the first four sectors.
    member(LVM2, Start(0), b"LABELONE"),
    member(LVM2, Start(512), b"LABELONE"),
    member(LVM2, Start(1024), b"LABELONE"),
    member(LVM2, Start(1536), b"LABELONE"),
    // The header, and LUKS2's second header.
    member(LUKS, Start(0), b"LUKS\xba\xbe"),
    member(LUKS, Start(16384), b"SKUL\xba\xbe"),
    member("BitLocker", Start(3), b"-FVE-FS-"),
    // The magics of bcache and bcachefs begin with the same bytes.
    member("bcache", Start(4096 + 24), b"\xc6\x85\x73\xf6"),
    member("drbd", DRBD, b"\x83\x74\x02\x6b"),
    member("drbd", DRBD, b"\x83\x74\x02\x6d"),
    // The name of the first pair in the label's list.
    member("zfs_member", Start(16384 + 24), b"version\0"),
    member("stratis", Start(520), b"!Stra0tis\x86\xff\x02^\x41rh"),
    member("DM_verity_hash", Start(0), b"verity\0\0"),
    member("DM_integrity", Start(0), b"integrt\0"),
    member("swap", Start(4096 - 10), b"SWAPSPACE2"),
    member("swsuspend", Start(4096 - 10), b"S1SUSPEND"),
    file_system("vfat", 82, b"FAT32   "),
    file_system("vfat", 54, b"FAT1"),
    file_system("ntfs", 3, b"NTFS    "),
    file_system("exfat", 3, b"EXFAT   "),
    file_system("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    file_system("jfs", 32768, b"JFS1"),
];

/// Places of backup headers, which exist even if the first header was wiped: ext4 in its second group (with blocks of 1, 2 and
/// 4 KiB), LUKS2, btrfs, xfs with groups of 1 TiB.
const BACKUPS: &[u64] = &[
    8193 << 10,
    32 << 20,
    128 << 20,
    2 << 20,
    4 << 20,
    64 << 20,
    1 << 40,
];

/// The places on a device of `size` bytes. A smaller xfs has four groups, with a backup after the first quarter of its blocks.
pub(crate) fn backups(size: u64) -> impl Iterator<Item = u64> {
    let quarter = (size >> 12).div_ceil(4) << 12;
    let places = BACKUPS.iter().copied().chain([quarter]);
    places.filter(move |place| *place < size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// mdadm(8) and md(4): 0.90 in the last whole 64 KiB, 1.0 at least 8 KiB before the end.
    #[test]
    fn a1_md_superblocks_at_the_end_are_where_the_kernel_looks() {
        let place = |row: usize, size| SIGNATURES[row].place(size);
        assert_eq!(place(0, (1 << 20) + 1234), Some((1 << 20) - 8192));
        assert_eq!(place(3, (1 << 20) + 1234), Some((1 << 20) - 65536));
        assert_eq!((place(0, 4096), place(3, 65535)), (None, None));
    }

    proptest! {
        #[test]
        fn every_place_is_on_the_device(size: u64) {
            prop_assert!(backups(size).all(|place| place < size));
            for signature in SIGNATURES {
                if let (End { .. }, Some(place)) = (signature.place, signature.place(size)) {
                    prop_assert!(place < size);
                }
            }
        }
    }
}
