//! Disks that are image files: a /sys that describes them and a /dev that holds them, so that no device of the machine is
//! touched. A launch can find, read, check and format them, but not mount them.

use crate::{
    root::Root,
    running::Start,
    util::{Before, search},
};
use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The images of a root.
pub(crate) struct Disks<'r> {
    root: &'r Root,
    /// Their names below /dev.
    names: Vec<String>,
}

impl<'r> Disks<'r> {
    pub(crate) fn new(root: &'r Root) -> Self {
        root.directory("/sysfs/class/block")
            .directory("/sysfs/fs/cgroup");
        Self {
            root,
            names: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path(&format!("/disks/{name}"))
    }

    /// A disk of zeros.
    pub(crate) fn add(&mut self, name: &str, bytes: u64) -> PathBuf {
        let minor = self.names.len();
        let uevent = format!("MAJOR=254\nMINOR={minor}\nDEVNAME={name}\nDEVTYPE=disk\n");
        self.list(name, name, &uevent);
        self.root.file(&format!("/disks/{name}"), "");
        let path = self.path(name);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(bytes)
            .unwrap();
        path
    }

    /// A partition of zeros, beside its disk.
    pub(crate) fn add_partition(&mut self, disk: &str, number: u32, name: &str) -> PathBuf {
        let partition = format!("{disk}{number}");
        let path = self.add(&partition, 4 << 20);
        let minor = self.names.len() - 1;
        let link = self.root.path(&format!("/sysfs/class/block/{partition}"));
        fs::remove_file(link).unwrap();
        let uevent = format!(
            "MAJOR=254\nMINOR={minor}\nDEVNAME={partition}\nDEVTYPE=partition\nPARTN={number}\nPARTNAME={name}\n"
        );
        let place = format!("{disk}/{partition}");
        self.list(&partition, &place, &uevent);
        let file = format!("/sysfs/devices/{place}/partition");
        self.root.file(&file, &format!("{number}\n"));
        path
    }

    /// Sets where a partition is on its disk, in bytes.
    pub(crate) fn place(&self, partition: &str, start: u64, size: u64) {
        for (file, bytes) in [("start", start), ("size", size)] {
            let file = format!("/sysfs/class/block/{partition}/{file}");
            std::fs::write(self.root.path(&file), format!("{}\n", bytes >> 9)).unwrap();
        }
    }

    /// Puts another device on top of it, as the kernel shows that.
    pub(crate) fn hold(&self, name: &str, by: &str) {
        let place = format!("/sysfs/class/block/{name}/holders/{by}");
        self.root.directory(&place);
    }

    fn list(&mut self, name: &str, place: &str, uevent: &str) {
        self.root
            .file(&format!("/sysfs/devices/{place}/uevent"), uevent);
        let link = self.root.path(&format!("/sysfs/class/block/{name}"));
        symlink(format!("../../devices/{place}"), link).unwrap();
        self.names.retain(|known| known != name);
        self.names.push(name.into());
    }

    /// A container that has these disks.
    pub(crate) fn start(&self) -> Start<'r> {
        let mut start = self
            .root
            .container()
            .before(Before::bind(self.root.path("/sysfs"), "/sys"));
        for name in &self.names {
            let at = format!("/dev/{name}");
            start = start
                .before(Before::File {
                    at: at.clone(),
                    contents: String::new(),
                })
                .before(Before::bind(self.path(name), &at));
        }
        start.foreign_cgroups()
    }
}

/// Runs a tool of the test machine.
pub(crate) fn tool(name: &str, words: &[&str], input: &str) {
    let mut child = Command::new(search(name).unwrap())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{name} {words:?}");
}

pub(crate) fn write_at(path: &Path, place: u64, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Makes ext4 with the machine's own mkfs.
pub(crate) fn ext4(path: &Path, label: &str, uuid: &str) {
    let path = path.to_str().unwrap();
    let words = [
        "-q",
        "-F",
        "-O",
        "^has_journal",
        "-L",
        label,
        "-U",
        uuid,
        path,
    ];
    tool("mkfs.ext4", &words, "");
}

/// Writes as much of btrfs's first superblock as holds its name, its UUID and its number of devices.
pub(crate) fn btrfs(path: &Path, label: &str, uuid: [u8; 16], devices: u64) {
    const SUPERBLOCK: u64 = 65536;
    write_at(path, SUPERBLOCK + 32, &uuid);
    write_at(path, SUPERBLOCK + 64, b"_BHRfS_M");
    write_at(path, SUPERBLOCK + 136, &devices.to_le_bytes());
    write_at(path, SUPERBLOCK + 299, label.as_bytes());
}
