//! A guest, as a rule one whose instructions are counted: the same image and the same row give the same figures, on any machine and at any
//! load. Its root is in memory, because a disk answers in the host's time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    host::{paths, tools},
    image::{Entry, Group},
    machine::{Guest, Machine, Root, acceleration::Acceleration},
};

/// The kernel's own dice would change the figures.
const WORDS: &[&str] = &["nokaslr", "norandmaps", "random.trust_cpu=on"];
/// After every commit of dockerlaunch, so that it never has to set the clock.
const CLOCK: &str = "2040-01-01T00:00:00";
const INIT: &str = "/bench/start";

/// An image that lies in memory. It is not compressed: the guest would spend most of its instructions on that.
pub(super) fn in_memory(image: &Path) -> Result<PathBuf> {
    let folder = paths::target()?.join("qemu/bench");
    fs::create_dir_all(&folder)?;
    let name = image.file_name().context("an image has a name")?;
    let path = folder.join(name).with_extension("cpio");
    let part = path.with_extension("part");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-d", "-f"])
        .arg(image)
        .arg("-o")
        .arg(&part);
    tools::run(&mut zstd)?;
    fs::rename(&part, &path)?;
    Ok(path)
}

/// A file of the image below /bench.
pub(super) fn program(name: &str, path: &Path) -> Result<(String, Entry)> {
    Ok((
        format!("bench/{name}"),
        Entry::file(Group::Extra, path.to_owned())?,
    ))
}

pub(super) fn bytes(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> (String, Entry) {
    (path.to_owned(), Entry::bytes(Group::Extra, mode, bytes))
}

/// The console of a guest that runs this row, up to the line that `last` accepts.
pub(super) fn console(
    guests: &Guests,
    row: &str,
    limit: Duration,
    last: impl Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let mut machine = Machine::new(
        &format!("bench-{row}"),
        guests.kernel.clone(),
        Root::Initramfs(guests.image.clone()),
        guests.acceleration,
    );
    machine.init = INIT.to_owned();
    machine.append.push(format!("bench.row={row}"));
    if guests.acceleration == Acceleration::Counted {
        machine.append.extend(WORDS.iter().map(ToString::to_string));
        machine.clock = Some(CLOCK);
    }
    machine.memory = guests.memory;
    machine.network = false;
    machine.verbose = guests.verbose;
    let watch = |guest: &Guest| guest.wait_for_line("the end of the measurement", limit, &last);
    let (guest, _, _) = machine.boot(watch)?;
    Ok(guest.console().into_iter().map(|line| line.text).collect())
}

/// What the guests of one table share.
pub(super) struct Guests {
    pub(super) kernel: PathBuf,
    /// Where nothing is counted, times are the host's.
    pub(super) acceleration: Acceleration,
    /// A cpio archive.
    pub(super) image: PathBuf,
    /// MiB.
    pub(super) memory: u32,
    pub(super) verbose: bool,
}

/// The size of an image in MiB, rounded up.
pub(super) fn mebibytes(path: &Path) -> Result<u32> {
    let length = File::open(path)?.metadata()?.len();
    Ok(u32::try_from(length.div_ceil(1 << 20))?)
}
