//! The supported file systems of a root or a state disk, recognised by their superblocks.
//!
//! The layouts are from the kernel: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h, include/uapi/linux/btrfs_tree.h.

use crate::text::{hexadecimal, split_once};
use core::ffi::CStr;

/// How many bytes of a superblock are read: all fields used here are within them.
pub(crate) const LENGTH: usize = 1024;

/// The layout of a superblock. Places are bytes from its beginning.
pub(crate) struct Format {
    /// The name in mount(2) and /proc/filesystems.
    pub(crate) name: &'static CStr,
    /// The superblock's place, in bytes from the device's beginning.
    pub(crate) offset: u64,
    magic_at: usize,
    pub(crate) magic: &'static [u8],
    uuid_at: usize,
    label_at: usize,
    label_length: usize,
    /// The byte and its flag that record an error.
    errors: Option<(usize, u8)>,
    /// The number of its devices, eight bytes, if it can have several.
    devices_at: Option<usize>,
    /// It can hold Docker's state.
    pub(crate) writable: bool,
}

/// The superblock has no such field.
const NOWHERE: usize = usize::MAX;

/// ext2 and ext3 have ext4's superblock, and ext4's driver mounts them.
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
        devices_at: None,
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
        devices_at: None,
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
        devices_at: Some(136),
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
        devices_at: None,
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
        devices_at: None,
        writable: false,
    },
];

impl Format {
    /// The place of the magic, in bytes from the device's beginning.
    pub(crate) fn magic_place(&self) -> u64 {
        self.offset + self.magic_at as u64
    }

    /// How many devices the file system has.
    pub(crate) fn devices(&self, block: &[u8]) -> u64 {
        let count = self
            .devices_at
            .and_then(|at| block.get(at..)?.first_chunk());
        count.map_or(1, |count| u64::from_le_bytes(*count))
    }

    /// The label, up to the first NUL; empty if there is none.
    pub(crate) fn label<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        split_once(part(block, self.label_at, self.label_length), 0).0
    }

    /// The UUID: 16 bytes in the order of the text form.
    pub(crate) fn uuid<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        part(block, self.uuid_at, 16)
    }

    /// Whether the driver has recorded an error in the superblock.
    pub(crate) fn has_errors(&self, block: &[u8]) -> bool {
        let marked = |(at, flag): (usize, u8)| block.get(at).is_some_and(|byte| byte & flag != 0);
        self.errors.is_some_and(marked)
    }
}

fn part(block: &[u8], at: usize, length: usize) -> &[u8] {
    block
        .get(at..)
        .and_then(|rest| rest.get(..length))
        .unwrap_or_default()
}

/// Whether `text` is this UUID: in either case, with dashes anywhere or none.
pub(crate) fn is_uuid(text: &[u8], uuid: &[u8]) -> bool {
    let mut digits = [0; 32];
    hexadecimal(uuid, &mut digits);
    let given = text.iter().filter(|byte| **byte != b'-');
    uuid.len() == 16 && given.map(u8::to_ascii_lowercase).eq(digits)
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
    fn label_and_uuid_are_read_from_each_format() {
        for format in FORMATS {
            let bytes = block(format, b"state", [7; 16]);
            assert_eq!(
                format.devices(&bytes),
                u64::from(format.devices_at.is_none())
            );
            let is_named = format.label_length > 0;
            assert_eq!(
                format.label(&bytes),
                if is_named { &b"state"[..] } else { b"" }
            );
            assert_eq!(
                format.uuid(&bytes),
                if is_named { &[7; 16][..] } else { b"" }
            );
            assert!(!format.has_errors(&bytes));
        }
    }

    #[test]
    fn a_label_may_fill_its_field_without_a_nul() {
        let bytes = block(&FORMATS[1], b"twelve_bytes", [0; 16]);
        assert_eq!(FORMATS[1].label(&bytes), b"twelve_bytes");
    }

    #[test]
    fn ext4_records_errors() {
        let mut bytes = block(&FORMATS[0], b"", [0; 16]);
        for (state, errors) in [(1, false), (3, true), (2, true), (4, false)] {
            bytes[58] = state;
            assert_eq!(FORMATS[0].has_errors(&bytes), errors, "{state}");
        }
    }

    proptest! {
        #[test]
        fn a_uuid_is_recognised_in_its_text_forms(uuid: [u8; 16], other: [u8; 16]) {
            let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
            let dashed = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
            prop_assert!(is_uuid(hex.as_bytes(), &uuid) && is_uuid(dashed.to_uppercase().as_bytes(), &uuid));
            prop_assert_eq!(is_uuid(dashed.as_bytes(), &other), uuid == other);
            let longer = format!("{dashed}0");
            prop_assert!(!is_uuid(&dashed.as_bytes()[..35], &uuid) && !is_uuid(longer.as_bytes(), &uuid));
        }

        #[test]
        fn any_bytes_are_handled(bytes: Vec<u8>) {
            for format in FORMATS {
                let _ = (format.devices(&bytes), format.label(&bytes), format.uuid(&bytes), format.has_errors(&bytes));
            }
        }
    }
}
