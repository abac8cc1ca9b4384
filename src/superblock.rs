//! What a disk says it holds: the file systems that a state disk may have, by their superblocks, and the signatures of
//! everything else, so that what is not blank is named and never written over.
//!
//! The layouts are those of the kernel: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h, include/uapi/linux/btrfs_tree.h.

use core::ffi::CStr;

/// As much of a superblock as holds all that is asked of it.
pub(crate) const LENGTH: usize = 1024;

/// Where a file system keeps what. Places are bytes from the superblock's beginning.
pub(crate) struct Format {
    /// As mount(2) and /proc/filesystems name it.
    pub(crate) name: &'static CStr,
    /// Bytes from the device's beginning.
    pub(crate) offset: u64,
    magic_at: usize,
    magic: &'static [u8],
    uuid_at: usize,
    label_at: usize,
    label_length: usize,
    /// A flag of the byte there says that errors were found.
    errors: Option<(usize, u8)>,
    /// It can hold Docker's state.
    pub(crate) writable: bool,
}

/// Where nothing is kept.
const NOWHERE: usize = usize::MAX;

/// ext2 and ext3 have ext4's superblock, and its driver mounts them.
pub(crate) const FORMATS: &[Format] = &[
    Format {
        name: c"ext4",
        offset: 1024,
        magic_at: 56,
        magic: &[0x53, 0xef],
        uuid_at: 104,
        label_at: 120,
        label_length: 16,
        errors: Some((58, 2)),
        writable: true,
    },
    Format {
        name: c"xfs",
        offset: 0,
        magic_at: 0,
        magic: b"XFSB",
        uuid_at: 32,
        label_at: 108,
        label_length: 12,
        errors: None,
        writable: true,
    },
    Format {
        name: c"btrfs",
        offset: 65536,
        magic_at: 64,
        magic: b"_BHRfS_M",
        uuid_at: 32,
        label_at: 299,
        label_length: 256,
        errors: None,
        writable: true,
    },
    Format {
        name: c"erofs",
        offset: 1024,
        magic_at: 0,
        magic: &[0xe2, 0xe1, 0xf5, 0xe0],
        uuid_at: 48,
        label_at: 64,
        label_length: 16,
        errors: None,
        writable: false,
    },
    Format {
        name: c"squashfs",
        offset: 0,
        magic_at: 0,
        magic: b"hsqs",
        uuid_at: NOWHERE,
        label_at: NOWHERE,
        label_length: 0,
        errors: None,
        writable: false,
    },
];

/// A file system's superblock that was recognised.
pub(crate) struct Superblock<'a> {
    block: &'a [u8],
    format: &'static Format,
}

impl<'a> Superblock<'a> {
    /// `block` is what lies at the format's offset; `None` if that is not its superblock.
    pub(crate) fn of(format: &'static Format, block: &'a [u8]) -> Option<Self> {
        let here = Self { block, format };
        (here.part(format.magic_at, format.magic.len()) == format.magic).then_some(here)
    }

    pub(crate) fn format(&self) -> &'static Format {
        self.format
    }

    /// Up to the first NUL; empty if it has none.
    pub(crate) fn label(&self) -> &'a [u8] {
        let label = self.part(self.format.label_at, self.format.label_length);
        label.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// 16 bytes, in the order in which they are written as text.
    pub(crate) fn uuid(&self) -> &'a [u8] {
        self.part(self.format.uuid_at, 16)
    }

    /// The file system was marked when its driver met an error.
    pub(crate) fn has_errors(&self) -> bool {
        let marked = |(at, flag): (usize, u8)| self.part(at, 1).iter().any(|byte| byte & flag != 0);
        self.format.errors.is_some_and(marked)
    }

    fn part(&self, at: usize, length: usize) -> &'a [u8] {
        self.block
            .get(at..)
            .and_then(|rest| rest.get(..length))
            .unwrap_or_default()
    }
}

/// The text form of a UUID, in either case, with its dashes anywhere or not at all.
pub(crate) fn is_uuid(text: &[u8], uuid: &[u8]) -> bool {
    let mut digits = text
        .iter()
        .filter(|byte| **byte != b'-')
        .map(|byte| char::from(*byte).to_digit(16));
    let mut next = || digits.next().flatten();
    let same = uuid
        .iter()
        .all(|byte| next() == Some(u32::from(byte >> 4)) && next() == Some(u32::from(byte & 15)));
    same && uuid.len() == 16 && digits.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String, vec, vec::Vec};

    fn block(format: &Format, label: &[u8], uuid: [u8; 16]) -> Vec<u8> {
        let mut block = vec![0; LENGTH];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(format.magic_at, format.magic);
        if format.label_length > 0 {
            put(format.label_at, label);
            put(format.uuid_at, &uuid);
        }
        block
    }

    #[test]
    fn each_format_is_known_by_its_own_magic_alone() {
        for format in FORMATS {
            let bytes = block(format, b"state", [7; 16]);
            let superblock = Superblock::of(format, &bytes).unwrap();
            let is_named = format.label_length > 0;
            assert_eq!(
                superblock.label(),
                if is_named { &b"state"[..] } else { b"" }
            );
            assert_eq!(superblock.uuid(), if is_named { &[7; 16][..] } else { b"" });
            assert!(!superblock.has_errors());
            assert!(Superblock::of(format, &[0; LENGTH]).is_none());
        }
    }

    #[test]
    fn a_label_that_fills_its_field_has_no_nul() {
        let bytes = block(&FORMATS[1], b"twelve_bytes", [0; 16]);
        assert_eq!(
            Superblock::of(&FORMATS[1], &bytes).unwrap().label(),
            b"twelve_bytes"
        );
    }

    #[test]
    fn ext4_tells_of_errors() {
        let mut bytes = block(&FORMATS[0], b"", [0; 16]);
        bytes[58] = 1;
        assert!(!Superblock::of(&FORMATS[0], &bytes).unwrap().has_errors());
        bytes[58] = 3;
        assert!(Superblock::of(&FORMATS[0], &bytes).unwrap().has_errors());
    }

    proptest! {
        #[test]
        fn a_uuid_is_known_by_its_text(uuid: [u8; 16], other: [u8; 16]) {
            let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
            let dashed = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
            prop_assert!(is_uuid(hex.as_bytes(), &uuid) && is_uuid(dashed.to_uppercase().as_bytes(), &uuid));
            prop_assert_eq!(is_uuid(dashed.as_bytes(), &other), uuid == other);
            let longer = format!("{dashed}0");
            prop_assert!(!is_uuid(&dashed.as_bytes()[..35], &uuid) && !is_uuid(longer.as_bytes(), &uuid));
        }

        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>) {
            for format in FORMATS {
                if let Some(superblock) = Superblock::of(format, &bytes) {
                    let _ = (superblock.label(), superblock.uuid(), superblock.has_errors());
                }
            }
        }
    }
}
