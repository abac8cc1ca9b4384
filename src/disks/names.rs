//! Parses names of disks: the forms of the kernel's `root=` (Documentation/admin-guide/kernel-parameters.txt,
//! block/early-lookup.c) and udev's links in /dev/disk.

use crate::text::{number, split_once};
use core::iter;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Label,
    Uuid,
    PartLabel,
    PartUuid,
}

struct Scheme {
    name: &'static [u8],
    /// The directory of udev's links.
    links: &'static [u8],
    by: By,
}

const SCHEMES: &[Scheme] = &[
    Scheme {
        name: b"LABEL",
        links: b"by-label",
        by: By::Label,
    },
    Scheme {
        name: b"UUID",
        links: b"by-uuid",
        by: By::Uuid,
    },
    Scheme {
        name: b"PARTLABEL",
        links: b"by-partlabel",
        by: By::PartLabel,
    },
    Scheme {
        name: b"PARTUUID",
        links: b"by-partuuid",
        by: By::PartUuid,
    },
];

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'n> {
    /// Any device.
    All,
    Path(&'n [u8]),
    By(By, &'n [u8]),
    /// This many partitions after the one with this PARTUUID; negative: before it.
    Behind(&'n [u8], i64),
    /// Major and minor.
    Number(u64, u64),
}

/// `None`: the form is not supported.
pub(super) fn parse(name: &[u8]) -> Option<Name<'_>> {
    if let Some(link) = name.strip_prefix(b"/dev/disk/") {
        let (links, value) = split_once(link, b'/');
        let scheme = SCHEMES.iter().find(|scheme| scheme.links == links)?;
        return Some(Name::By(scheme.by, value?));
    }
    if name.starts_with(b"/") {
        // For these two the kernel mounts a root over the network.
        return (name != b"/dev/nfs" && name != b"/dev/cifs").then_some(Name::Path(name));
    }
    let (scheme, value) = split_once(name, b'=');
    let Some(value) = value else {
        return device_number(name);
    };
    let scheme = SCHEMES.iter().find(|known| known.name == scheme)?;
    match split_once(value, b'/') {
        (uuid, Some(offset)) if scheme.by == By::PartUuid => {
            let digits = offset.strip_prefix(b"PARTNROFF=")?;
            let (sign, digits) = match digits.strip_prefix(b"-") {
                Some(digits) => (-1, digits),
                None => (1, digits.strip_prefix(b"+").unwrap_or(digits)),
            };
            let offset = i64::try_from(number(digits)?).ok()?;
            Some(Name::Behind(uuid, sign * offset))
        }
        _ => Some(Name::By(scheme.by, value)),
    }
}

/// `MAJOR:MINOR`, or one hexadecimal number as new_decode_dev() splits it (include/linux/kdev_t.h).
fn device_number(name: &[u8]) -> Option<Name<'static>> {
    if let (major, Some(minor)) = split_once(name, b':') {
        return Some(Name::Number(number(major)?, number(minor)?));
    }
    let is_short = (1..=8).contains(&name.len());
    let number = name.iter().try_fold(0_u64, |number, digit| {
        Some(number << 4 | u64::from(digit_value(*digit)?))
    })?;
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xf_ff00);
    is_short.then_some(Name::Number(major, minor))
}

fn digit_value(digit: u8) -> Option<u8> {
    (digit as char)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Whether `text` is this label, or the label with udev's escapes (`\x20` for a space).
pub(super) fn is_label(text: &[u8], label: &[u8]) -> bool {
    let mut rest = text;
    let plain = iter::from_fn(|| {
        if let [b'\\', b'x', tens, ones, after @ ..] = rest
            && let (Some(tens), Some(ones)) = (digit_value(*tens), digit_value(*ones))
        {
            rest = after;
            return Some(tens << 4 | ones);
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some(*first)
    });
    plain.eq(label.iter().copied()) || text == label
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, vec::Vec};

    #[test]
    fn f5_all_forms_of_the_kernel_and_udev_are_parsed() {
        for (name, meaning) in [
            ("/dev/vda", Some(Name::Path(b"/dev/vda"))),
            ("LABEL=my root", Some(Name::By(By::Label, b"my root"))),
            ("LABEL=a/b", Some(Name::By(By::Label, b"a/b"))),
            (
                "/dev/disk/by-uuid/AB-CD",
                Some(Name::By(By::Uuid, b"AB-CD")),
            ),
            (
                "/dev/disk/by-partlabel/x",
                Some(Name::By(By::PartLabel, b"x")),
            ),
            ("PARTUUID=1-02", Some(Name::By(By::PartUuid, b"1-02"))),
            ("PARTUUID=1-02/PARTNROFF=1", Some(Name::Behind(b"1-02", 1))),
            ("PARTUUID=1/PARTNROFF=-2", Some(Name::Behind(b"1", -2))),
            ("254:2", Some(Name::Number(254, 2))),
            ("fe02", Some(Name::Number(254, 2))),
            ("0801", Some(Name::Number(8, 1))),
            // 259:300, as `stat -c %D` prints it.
            ("11032c", Some(Name::Number(259, 300))),
            ("PARTUUID=1/PARTNROFF=x", None),
            ("PARTUUID=1/x", None),
            ("/dev/disk/by-id/virtio-1", None),
            ("/dev/disk/by-path/pci-0", None),
            ("/dev/disk/by-label", None),
            ("/dev/nfs", None),
            ("254:", None),
            ("254:2:3", None),
            ("vda", None),
            ("123456789", None),
            ("mtd0", None),
            ("live:LABEL=x", None),
            ("label=x", None),
            ("", None),
        ] {
            assert_eq!(parse(name.as_bytes()), meaning, "{name}");
        }
    }

    #[test]
    fn f5_labels_may_have_udevs_escapes() {
        for (text, label) in [
            (r"my\x20root", "my root"),
            (r"a\x2fb\x5cc", r"a/b\c"),
            (r"a\x2", r"a\x2"),
            (r"a\xzz", r"a\xzz"),
            (r"a\x20b", r"a\x20b"),
            ("plain", "plain"),
        ] {
            assert!(is_label(text.as_bytes(), label.as_bytes()), "{text}");
        }
        assert!(!is_label(br"my\x20root", b"my_root") && !is_label(b"a", b"ab"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_handled(name: Vec<u8>, label: Vec<u8>) {
            let _ = (parse(&name), is_label(&name, &label));
        }

        /// new_encode_dev() makes the number.
        #[test]
        fn hexadecimal_numbers_are_split_as_in_the_kernel(major in 0..0x1000_u64, minor in 0..0x10_0000_u64) {
            let number = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
            let name = format!("{number:x}");
            prop_assert_eq!(parse(name.as_bytes()), Some(Name::Number(major, minor)));
        }
    }
}
