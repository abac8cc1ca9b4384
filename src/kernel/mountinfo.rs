//! One line of /proc/self/mountinfo (proc_pid_mountinfo(5)): what is mounted where, and on what it stands.

use crate::text::{Text, fields, number};

/// The fields of a line that a launch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mount<'a> {
    pub(crate) id: u64,
    parent: u64,
    /// Relative to the process's root, with `\040` for a blank.
    pub(crate) point: &'a [u8],
    /// cgroup2, tmpfs, ext4 …
    pub(crate) kind: &'a [u8],
    /// Of the super block: a v1 hierarchy names its controllers here. Empty where the line was too long to be kept.
    pub(crate) options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// A line without its newline; `None` for anything else than the kernel writes.
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

    /// Nothing lies under this mount: `pivot_root(2)` cannot move it away.
    pub(crate) fn is_bottom(&self) -> bool {
        self.id == self.parent
    }

    /// It is mounted at `place` or below it.
    pub(crate) fn is_within(&self, place: &[u8]) -> bool {
        is_within(self.point, place)
    }
}

/// A path is `place` or lies below it.
pub(crate) fn is_within(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A path as a system call takes it: the kernel writes blanks, tabs, newlines and backslashes as `\040` and the like.
/// `None` if it is longer than any path.
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
    fn a_line_of_the_manual() {
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
    fn rubbish_is_no_mount() {
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
        fn any_line_is_judged(line: Vec<u8>) {
            let _ = Mount::parse(&line);
        }

        #[test]
        fn any_prefix_of_a_line_is_judged(end in 0..80_usize) {
            let line = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
            prop_assert_eq!(Mount::parse(&line[..end.min(line.len())]).is_some(), end >= 50);
        }
    }
}
