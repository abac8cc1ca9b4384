//! PARTUUID= as in the kernel: with a GPT the partition's own GUID (UEFI 5.3.3), with an MBR the disk's signature and the
//! partition's number, `1234abcd-02`. The kernel's uevent files have it only since 6.13, so the table itself is read.

use crate::{
    disks::superblock::is_uuid,
    text::{hexadecimal, split_once},
};

/// How many bytes are read of a disk's first sector, of the GPT's header and of an entry.
pub(crate) const LENGTH: usize = 128;
/// The last [`LENGTH`] bytes of the first sector begin here; they include the MBR's signature and table.
pub(crate) const MBR_TAIL: u64 = 384;

/// The first bytes of a GPT's header, which is in the second logical block.
pub(crate) const GPT: &[u8] = b"EFI PART";

/// Where the GPT's entries are.
pub(crate) struct Header {
    first_block: u64,
    count: u32,
    size: u32,
}

impl Header {
    /// Parses the beginning of the disk's second logical block; `None` if it is not a GPT header.
    pub(crate) fn parse(block: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*block.get(at..)?.first_chunk()?));
        let first_block = u64::from_le_bytes(*block.get(72..)?.first_chunk()?);
        block.starts_with(GPT).then_some(())?;
        Some(Self {
            first_block,
            count: word(80)?,
            size: word(84)?,
        })
    }

    /// The place of a partition's entry on the disk, in bytes; the first partition is 1.
    pub(crate) fn entry(&self, partition: u64, block_size: u64) -> Option<u64> {
        let place = partition
            .checked_sub(1)
            .filter(|place| *place < self.count.into())?;
        let place = place.checked_mul(self.size.into())?;
        self.first_block.checked_mul(block_size)?.checked_add(place)
    }
}

/// Whether `text` is the entry's own GUID. Its first three fields are stored as little-endian numbers.
pub(crate) fn is_guid(text: &[u8], entry: &[u8]) -> bool {
    let Some(&[d, c, b, a, f, e, h, g, ref rest @ ..]) =
        entry.get(16..).and_then(|rest| rest.first_chunk::<16>())
    else {
        return false;
    };
    let [i, j, k, l, m, n, o, p] = *rest;
    is_uuid(text, &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Whether `text` is the PARTUUID of an MBR partition; `tail` is the end of the disk's first sector.
pub(crate) fn is_mbr_id(text: &[u8], tail: &[u8], partition: u64) -> bool {
    let Some(&[d, c, b, a]) = tail.get(56..60) else {
        return false;
    };
    let mut digits = [0; 10];
    hexadecimal(&[a, b, c, d, partition as u8], &mut digits);
    let [signature @ .., tens, ones] = digits;
    let (first, second) = split_once(text, b'-');
    tail.ends_with(&[0x55, 0xaa])
        && partition < 256
        && first.eq_ignore_ascii_case(&signature)
        && second.is_some_and(|second| second.eq_ignore_ascii_case(&[tens, ones]))
}

/// Whether the end of a disk's first sector is an MBR with a partition. The boot sector of a file system ends with the same two
/// bytes, but has code where the table would be. So, as in the kernel (block/partitions/msdos.c) and libblkid, the boot flag of
/// all four entries must be 0 or 0x80, and one entry must have a type, a start and a length.
pub(crate) fn is_mbr(tail: &[u8]) -> bool {
    let entries = || tail.get(62..126).unwrap_or_default().chunks_exact(16);
    let is_set =
        |field: Option<&[u8]>| field.is_some_and(|field| field.iter().any(|byte| *byte != 0));
    let is_used = |entry: &[u8]| {
        is_set(entry.get(4..5)) && is_set(entry.get(8..12)) && is_set(entry.get(12..16))
    };
    tail.ends_with(&[0x55, 0xaa])
        && entries().all(|entry| matches!(entry.first(), Some(0 | 0x80)))
        && entries().any(is_used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, vec, vec::Vec};

    #[test]
    fn a_guid_is_recognised() {
        let mut entry = vec![0; LENGTH];
        entry[16..32].copy_from_slice(&[
            0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e,
            0xc9, 0x3b,
        ]);
        assert!(is_guid(b"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", &entry));
        assert!(!is_guid(b"28732AC1-1FF8-D211-BA4B-00A0C93EC93B", &entry));
    }

    #[test]
    fn entries_are_counted_from_one() {
        let mut block = vec![0; LENGTH];
        block[..8].copy_from_slice(b"EFI PART");
        block[72] = 2;
        block[80] = 128;
        block[84] = 128;
        let header = Header::parse(&block).unwrap();
        assert_eq!(header.entry(1, 512), Some(1024));
        assert_eq!(header.entry(3, 4096), Some(8192 + 256));
        assert_eq!((header.entry(0, 512), header.entry(129, 512)), (None, None));
        assert!(Header::parse(&block[..80]).is_none() && Header::parse(&[0; LENGTH]).is_none());
    }

    #[test]
    fn a1_boot_code_is_not_a_partition_table() {
        let mut tail = vec![0; LENGTH];
        tail[126..].copy_from_slice(&[0x55, 0xaa]);
        assert!(!is_mbr(&tail), "a boot sector without a table");
        tail[62 + 16..62 + 32]
            .copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]);
        assert!(is_mbr(&tail), "a partition");
        tail[62] = 0x7c;
        assert!(!is_mbr(&tail), "code");
        tail[62] = 0x80;
        assert!(is_mbr(&tail), "bootable");
        tail[126] = 0;
        assert!(!is_mbr(&tail) && !is_mbr(&[]), "no signature");
    }

    proptest! {
        #[test]
        fn an_mbr_id_is_recognised(signature: u32, partition in 1..100_u64) {
            let mut tail = vec![0; LENGTH];
            tail[56..60].copy_from_slice(&signature.to_le_bytes());
            tail[126..].copy_from_slice(&[0x55, 0xaa]);
            let text = format!("{signature:08x}-{partition:02x}");
            prop_assert!(is_mbr_id(text.as_bytes(), &tail, partition));
            prop_assert!(!is_mbr_id(text.as_bytes(), &tail, partition + 1));
            tail[57] ^= 1;
            prop_assert!(!is_mbr_id(text.as_bytes(), &tail, partition));
        }

        #[test]
        fn any_bytes_are_handled(block: Vec<u8>, text: Vec<u8>, partition: u64, size: u64) {
            let _ = Header::parse(&block).map(|header| header.entry(partition, size));
            let _ = (is_mbr(&block), is_guid(&text, &block), is_mbr_id(&text, &block, partition));
        }
    }
}
