//! Mounts as tests compare them: what the program asked for, without what the machine adds.

use crate::util::{Needs, tests};

tests![Needs::Nothing; g6_options_of_the_machine_do_not_count];

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) at: String,
    /// Options of the mount: rw, nosuid, noexec …
    pub(crate) flags: String,
    /// shared:N, master:N, or nothing.
    pub(crate) propagation: String,
    pub(crate) kind: String,
    pub(crate) source: String,
    /// Options of the file system, without what the machine's kernel and init add to every one of this type.
    pub(crate) data: String,
}

/// Options that show although the program did not ask for them: those from the kernel's configuration (tmpfs(5)), from SELinux,
/// and those of cgroup v2, which is one file system for the whole machine, mounted by its init.
const ADDED: &[(&str, &[&str])] = &[
    ("", &["seclabel"]),
    ("tmpfs", &["inode32", "inode64"]),
    ("devtmpfs", &["inode32", "inode64"]),
    (
        "cgroup2",
        &[
            "nsdelegate",
            "favordynmods",
            "memory_localevents",
            "memory_recursiveprot",
            "memory_hugetlb_accounting",
            "pids_localevents",
        ],
    ),
];

/// The options of a file system of this type that the program asked for.
fn asked_for(kind: &str, data: &str) -> String {
    let is_added = |option: &&str| {
        let mut rows = ADDED.iter().filter(|(of, _)| of.is_empty() || *of == kind);
        rows.any(|(_, added)| added.contains(option))
    };
    let options: Vec<_> = data.split(',').filter(|option| !is_added(option)).collect();
    options.join(",")
}

impl Mount {
    pub(crate) fn parse(line: &str) -> Self {
        let (before, after) = line.split_once(" - ").unwrap();
        let before: Vec<_> = before.split(' ').collect();
        let after: Vec<_> = after.split(' ').collect();
        Self {
            at: before[4].into(),
            flags: before[5].into(),
            propagation: before[6..].join(" "),
            kind: after[0].into(),
            source: after[1].into(),
            data: asked_for(after[0], after[2]),
        }
    }
}

/// A stock Debian host, SELinux on Fedora and a kernel with inodes of 64 bits show these.
fn g6_options_of_the_machine_do_not_count() {
    let line = |kind: &str, options: &str| {
        Mount::parse(&format!(
            "36 35 0:30 / /at rw,nosuid shared:9 - {kind} source {options}"
        ))
    };
    for (kind, shown, asked_for) in [
        ("cgroup2", "rw,nsdelegate,memory_recursiveprot", "rw"),
        ("cgroup2", "rw,seclabel,nsdelegate", "rw"),
        ("tmpfs", "rw,mode=755,inode64", "rw,mode=755"),
        (
            "tmpfs",
            "rw,seclabel,size=4k,mode=700",
            "rw,size=4k,mode=700",
        ),
        ("devtmpfs", "rw,seclabel,size=1k,inode64", "rw,size=1k"),
        ("devpts", "rw,seclabel,gid=5,mode=620", "rw,gid=5,mode=620"),
        ("sysfs", "rw,seclabel", "rw"),
        // Options that the program asked for count, and so do the options of other types.
        ("tmpfs", "ro,size=4k", "ro,size=4k"),
        ("tmpfs", "rw,nsdelegate", "rw,nsdelegate"),
        ("ext4", "rw,inode64", "rw,inode64"),
    ] {
        assert_eq!(line(kind, shown).data, asked_for, "{kind} {shown}");
    }
}
