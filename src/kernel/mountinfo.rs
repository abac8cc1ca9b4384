//! Parses a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).

use crate::text::{Text, fields, number};

/// The fields that a launch needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mount<'a> {
    pub(crate) id: u64,
    parent: u64,
    /// The mount point, relative to the process's root, with `\040` for a space.
    pub(crate) point: &'a [u8],
    /// The file system: cgroup2, tmpfs, ext4 …
    pub(crate) kind: &'a [u8],
    /// The super block's options, in which a v1 hierarchy lists its controllers. Empty if the line was truncated.
    pub(crate) options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// Parses a line without its newline; `None` if it is malformed.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = fields(line, b' ');
        let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
        let (_device, _root, point) = (fields.next()?, fields.next()?, fields.next()?);
        fields.find(|field| *field == b"-")?;
        let (kind, _source) = (fields.next()?, fields.next()?);
        Some(Self {
            id,
            parent,
            point,
            kind,
            options: fields.next().unwrap_or_default(),
        })
    }

    /// Whether it is the bottom of the mount tree, which `pivot_root(2)` cannot move away.
    pub(crate) fn is_bottom(&self) -> bool {
        self.id == self.parent
    }

    /// Whether it is mounted at `place` or below it.
    pub(crate) fn is_within(&self, place: &[u8]) -> bool {
        is_within(self.point, place)
    }
}

/// Whether a path is `place` or is below it.
pub(crate) fn is_within(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Undoes the kernel's octal escapes for spaces, tabs, newlines and backslashes (`\040`), as system calls need the path. `None`
/// if the path is too long.
pub(crate) fn unescaped(field: &[u8]) -> Option<Text<4096>> {
    let mut path = Text::new();
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let (byte, after) = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] => ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after),
            _ => (*first, after),
        };
        path.push(&[byte]).ok()?;
        rest = after;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn the_manual_pages_example_is_parsed() {
        let line = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue";
        let mount = Mount::parse(line).unwrap();
        assert_eq!(
            (mount.point, mount.kind, mount.options),
            (&b"/mnt2"[..], &b"ext3"[..], &b"rw,errors=continue"[..])
        );
        assert!(!mount.is_bottom() && mount.is_within(b"/mnt2") && !mount.is_within(b"/mnt"));
    }

    #[test]
    fn an_initramfs_is_the_bottom() {
        assert!(
            Mount::parse(b"1 1 0:2 / / rw - rootfs rootfs rw,size=1k")
                .unwrap()
                .is_bottom()
        );
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "",
            "1 1 0:2 / / rw",
            "x 1 0:2 / / rw - rootfs rootfs rw",
            "1 1 0:2 / / rw - rootfs",
        ] {
            assert_eq!(Mount::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        let path = |field: &[u8]| unescaped(field).map(|path| path.as_bytes().to_vec());
        assert_eq!(path(br"/a\040b\134c").unwrap(), br"/a b\c");
        assert_eq!(path(br"/a\04\9").unwrap(), br"/a\04\9");
        assert_eq!(path(&[b'x'; 4096]), None);
    }

    proptest! {
        #[test]
        fn any_field_is_unescaped(field: Vec<u8>) {
            let _ = unescaped(&field);
        }

        #[test]
        fn any_line_is_handled(line: Vec<u8>) {
            let _ = Mount::parse(&line);
        }

        #[test]
        fn any_prefix_of_a_line_is_handled(end in 0..80_usize) {
            let line = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
            prop_assert_eq!(Mount::parse(&line[..end.min(line.len())]).is_some(), end >= 50);
        }
    }
}
