//! Disks beside the root: what is on them before the first boot, as data. All have the same label, UUID, partition name and
//! partition UUID, so that a scenario only chooses by which of them the disk is found.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    drive::{Bus, Drive},
    files::place,
    inspect,
};
use crate::host::tools::{self, of_root};

/// A disk before it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    pub(crate) name: &'static str,
    pub(crate) bus: Bus,
    pub(crate) table: Table,
    pub(crate) holds: Holds,
    /// It is absent until a step of the scenario plugs it in.
    pub(crate) late: bool,
}

/// A partition table with two partitions, of which the second is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    None,
    Gpt,
    Mbr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Nothing,
    Ext4,
    /// In a partition; and an older ext4 on the whole disk, whose superblock the partition table did not overwrite.
    Ext4InOld,
    /// Marked with errors, as the kernel does.
    Ext4WithErrors,
    Xfs,
    Btrfs,
    /// On this disk and another one, which is made first.
    BtrfsWith(&'static str),
    /// The header of an encrypted volume, which must not be overwritten.
    Luks,
}

/// The name by which scenarios ask for a state disk.
pub(crate) const STATE: &str = "state";
const LABEL: &str = "state";
const UUID: &str = "0dad5cc0-57a7-4e00-8d15-000000000001";
const PART_LABEL: &str = "docker-state";
const PART_UUID: &str = "0dad5cc0-57a7-4e00-8d15-000000000002";
const MBR_ID: &str = "0x0dad5cc0";

/// mkfs.xfs refuses less than 300 MiB. The file is sparse.
const SIZE: u64 = 512 << 20;
/// Where the second partition begins.
const OFFSET: u64 = 2 << 20;

impl Table {
    /// As sfdisk(8) reads it.
    fn script(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Gpt => Some(format!(
                "label: gpt\nstart=2048, size=2048, name=other\nstart=4096, name={PART_LABEL}, uuid={PART_UUID}\n"
            )),
            Self::Mbr => Some(format!(
                "label: dos\nlabel-id: {MBR_ID}\nstart=2048, size=2048\nstart=4096\n"
            )),
        }
    }
}

impl Disk {
    /// A blank state disk whose driver is a module.
    pub(crate) const BLANK: Self = Self {
        name: STATE,
        bus: Bus::Virtio,
        table: Table::None,
        holds: Holds::Nothing,
        late: false,
    };

    pub(crate) const fn holds(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }

    pub(crate) const fn table(self, table: Table) -> Self {
        Self { table, ..self }
    }

    pub(crate) const fn late(self) -> Self {
        Self { late: true, ..self }
    }

    /// The disk as a file for this guest, and a copy that stays unchanged.
    pub(crate) fn made(&self, guest: &str) -> Result<Drive> {
        let path = of_guest(guest, self.name)?;
        let original = original(&path);
        self.make(&original, guest)
            .with_context(|| format!("make the disk {}", original.display()))?;
        Ok(Drive {
            name: self.name,
            path,
            keep: true,
            bus: self.bus,
            late: self.late,
            protected: false,
            original: Some(original),
        })
    }

    fn make(&self, path: &Path, guest: &str) -> Result<()> {
        blank(path, SIZE)?;
        if self.holds == Holds::Ext4InOld {
            made("mkfs.ext4", &["-q", "-F", "-L", LABEL], path)?;
        }
        if let Some(script) = self.table.script() {
            partition(path, &script)?;
        }
        let in_partition = self.table != Table::None;
        ensure!(
            !in_partition || matches!(self.holds, Holds::Ext4 | Holds::Ext4InOld | Holds::Nothing),
            "only mkfs.ext4 can be given the start of a partition"
        );
        match self.holds {
            Holds::Nothing => Ok(()),
            Holds::Ext4 | Holds::Ext4InOld if in_partition => {
                let offset = format!("offset={OFFSET}");
                // A GPT has a copy of itself at the end of the disk.
                let size = format!("{}k", (SIZE - 2 * OFFSET) >> 10);
                let arguments = ["-q", "-F", "-L", LABEL, "-U", UUID, "-E", &offset];
                tools::run(tool("mkfs.ext4", &arguments, path).arg(size))
            }
            Holds::Ext4 | Holds::Ext4InOld => {
                made("mkfs.ext4", &["-q", "-F", "-L", LABEL, "-U", UUID], path)
            }
            Holds::Ext4WithErrors => {
                made("mkfs.ext4", &["-q", "-F", "-L", LABEL, "-U", UUID], path)?;
                made("debugfs", &["-w", "-R", "ssv state 2"], path)
            }
            Holds::Xfs => {
                let uuid = format!("uuid={UUID}");
                made("mkfs.xfs", &["-q", "-f", "-L", LABEL, "-m", &uuid], path)
            }
            Holds::Btrfs => made("mkfs.btrfs", &["-q", "-f", "-L", LABEL, "-U", UUID], path),
            Holds::BtrfsWith(other) => {
                let other = original(&of_guest(guest, other)?);
                let arguments = ["-q", "-f", "-L", LABEL, "-d", "raid1", "-m", "raid1"];
                tools::run(tool("mkfs.btrfs", &arguments, &other).arg(path))
            }
            Holds::Luks => Ok(File::options()
                .write(true)
                .open(path)?
                .write_all_at(b"LUKS\xba\xbe\0\x02", 0)?),
        }
    }
}

/// The drive on a bus whose driver is a module, its file system in the second partition of this table.
pub(crate) fn on_virtio(drive: Drive, table: Table) -> Result<Drive> {
    let drive = Drive {
        bus: Bus::Virtio,
        ..drive
    };
    let Some(script) = table.script() else {
        return Ok(drive);
    };
    let image = drive
        .original
        .context("the drive is not a copy, and would be overwritten")?;
    let original = drive.path.with_added_extension("original");
    blank(&original, fs::metadata(&image)?.len() + 2 * OFFSET)?;
    partition(&original, &script)?;
    let mut copy = Command::new("dd");
    copy.args(["status=none", "bs=1M", "conv=notrunc,sparse"]);
    copy.arg(format!("seek={}", OFFSET >> 20));
    copy.arg(format!("if={}", image.display()));
    tools::run(copy.arg(format!("of={}", original.display())))?;
    Ok(Drive {
        original: Some(original),
        ..drive
    })
}

/// A state disk of this size: blank at first, and kept for later boots.
pub(crate) fn lasting(name: &str, bytes: u64) -> Result<Drive> {
    let path = place(&format!("{name}.{STATE}-{bytes}"))?;
    if !path.exists() {
        blank(&path, bytes)?;
    }
    eprintln!("state disk: {}", path.display());
    Ok(Drive {
        name: STATE,
        keep: true,
        bus: Bus::Virtio,
        ..Drive::root(path)
    })
}

/// Directories of an earlier launch: a full disk has no block for the mount point of the data root.
const OF_EARLIER_LAUNCH: [&str; 2] = ["/var/lib", "/var/lib/docker"];

/// A copy of an ext4 image, as after a first launch, with no free block and none reserved for root.
pub(crate) fn full(image: &Path, guest: &str) -> Result<PathBuf> {
    let path = place(&format!("{guest}.full"))?;
    tools::copy(image, &path)?;
    made("tune2fs", &["-m", "0"], &path)?;
    for directory in OF_EARLIER_LAUNCH {
        made(
            "debugfs",
            &["-w", "-R", &format!("mkdir {directory}")],
            &path,
        )?;
    }
    let nothing = path.with_added_extension("nothing");
    File::create(&nothing)?;
    made(
        "debugfs",
        &["-w", "-R", &format!("write {} full", nothing.display())],
        &path,
    )?;
    fs::remove_file(nothing)?;
    let free = inspect::free_blocks(&path)?;
    // debugfs reports an error: the last block is used for the map of the file's blocks.
    made(
        "debugfs",
        &["-w", "-R", &format!("fallocate full 0 {}", free - 1)],
        &path,
    )?;
    let free = inspect::free_blocks(&path)?;
    ensure!(free == 0, "{} has {free} free blocks", path.display());
    Ok(path)
}

fn of_guest(guest: &str, name: &str) -> Result<PathBuf> {
    place(&format!("{guest}.{name}"))
}

fn original(path: &Path) -> PathBuf {
    path.with_added_extension("original")
}

fn blank(path: &Path, bytes: u64) -> Result<()> {
    Ok(File::create(path)?.set_len(bytes)?)
}

fn partition(path: &Path, script: &str) -> Result<()> {
    let mut child = tool("sfdisk", &["-q", "-w", "never"], path)
        .stdin(Stdio::piped())
        .spawn()
        .context("start sfdisk")?;
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(script.as_bytes())?;
    drop(input);
    let status = child.wait()?;
    ensure!(status.success(), "sfdisk: {status}");
    Ok(())
}

fn made(program: &str, arguments: &[&str], path: &Path) -> Result<()> {
    tools::run(&mut tool(program, arguments, path))
}

fn tool(program: &str, arguments: &[&str], path: &Path) -> Command {
    let mut command = of_root(program);
    command.args(arguments).arg(path);
    command
}
