//! What a small scenario expects, as data: each variant is one kind of fact, from the probe's report or from the console, and has
//! its name in the list of checks.

mod appliance;
mod life;
mod process;

use anyhow::{Result, bail};

use super::seen::{Seen, same, texts};
use crate::disks::{ROOT, inspect};
pub(crate) use life::End;

/// One expectation. Paths are absolute, modes octal, options sorted as the kernel prints them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// A mount: target, type, exactly these options, and these among the file system's own.
    Mount(&'static str, &'static str, &'static str, &'static str),
    /// Exactly these targets are mounted, in any order; `what` names the set.
    MountedAll(&'static str, &'static [&'static str]),
    NotMounted(&'static str),
    Propagation(&'static str, &'static str),
    /// A link and where it points.
    Link(&'static str, &'static str),
    /// A directory and its mode.
    Directory(&'static str, &'static str),
    /// A file, its mode, and its content or a part of it.
    File(&'static str, &'static str, Content),
    /// A socket, its mode and its group.
    Socket(&'static str, &'static str, u32),
    /// A device and its number.
    Device(&'static str, &'static str),
    Absent(&'static str),
    /// The daemon's arguments, its own name first.
    Arguments(&'static [&'static str]),
    /// The whole environment, sorted.
    Environment(&'static [&'static str]),
    /// A field of the process: see `process`.
    Process(&'static str, &'static str),
    /// Soft and hard limit; `None` means unlimited.
    Limit(&'static str, Option<u64>, Option<u64>),
    /// Exactly these descriptors are open; each target begins with this prefix.
    Descriptors(&'static [(u32, &'static str)]),
    /// A listening socket.
    Listens(u32, &'static str),
    PivotRoot(&'static str),
    /// The version 2 hierarchy has these controllers.
    Controllers(&'static [&'static str]),
    Hostname(&'static str),
    LinkUp(&'static str),
    Address(&'static str),
    Route(&'static str),
    /// A file below /proc/sys and its value.
    Kernel(&'static str, &'static str),
    Module(&'static str),
    NoModule(&'static str),
    /// A name, and texts that one line of the console contains.
    Says(&'static str, &'static [&'static str]),
    /// The same for several lines, in any order; the name is the check's.
    Lines(&'static str, &'static [&'static [&'static str]]),
    /// dockerlaunch writes exactly these lines, in this order: the texts that each contains.
    SaysOnly(&'static [&'static [&'static str]]),
    /// The console has lines with these texts, in this order; others may be between them.
    SaysInOrder(&'static str, &'static [&'static [&'static str]]),
    /// This many lines of dockerlaunch have all these texts.
    SaysTimes(&'static str, usize, &'static [&'static str]),
    /// All lines of the probe, in their order.
    Told(&'static [&'static str]),
    /// All lines of the probe and its children, which have no order.
    ToldTogether(&'static [&'static str]),
    /// The wait status that the kernel shows when PID 1 has ended; the exit status is its second byte.
    Panic(&'static str),
    /// How the machine ended.
    Ends(End),
    /// On the root's disk nothing has to be replayed or repaired.
    CleanDisk,
    /// Once its journal is replayed, the root's disk has these files, and none is empty.
    OnDisk(&'static [&'static str]),
    /// The same for another disk.
    Clean(&'static str),
    /// A disk has the same content as before.
    Unchanged(&'static str),
    /// A mount's target, and its source.
    MountedFrom(&'static str, &'static str),
    /// A file is the same as in the previous boot.
    Kept(&'static str),
    /// File systems in memory hold at most this many KiB.
    InMemory(u64),
    /// The clock continues from the date that dockerlaunch has set.
    ClockSet,
}

/// A file's content.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Is(&'static str),
    Has(&'static str),
    /// machine-id(5): 32 hexadecimal digits.
    MachineId,
}

impl Expect {
    /// Its name in the list: `scenario/NAME`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Mount(target, ..) => format!("mount:{target}"),
            Self::MountedAll(what, _) => format!("mounts:{what}"),
            Self::NotMounted(target) => format!("not-mounted:{target}"),
            Self::Propagation(target, _) => format!("propagation:{target}"),
            Self::Link(path, _) => format!("link:{path}"),
            Self::Directory(path, _) => format!("directory:{path}"),
            Self::File(path, ..) => format!("file:{path}"),
            Self::Socket(path, ..) => format!("socket:{path}"),
            Self::Device(path, _) => format!("device:{path}"),
            Self::Absent(path) => format!("absent:{path}"),
            Self::Arguments(_) => "arguments".into(),
            Self::Environment(_) => "environment".into(),
            Self::Process(field, _) => format!("process:{field}"),
            Self::Limit(name, ..) => format!("limit:{name}"),
            Self::Descriptors(_) => "descriptors".into(),
            Self::Listens(number, _) => format!("listens:{number}"),
            Self::PivotRoot(_) => "pivot_root".into(),
            Self::Controllers(_) => "controllers".into(),
            Self::Hostname(_) => "hostname".into(),
            Self::LinkUp(link) => format!("up:{link}"),
            Self::Address(address) => format!("address:{address}"),
            Self::Route(route) => format!("route:{route}"),
            Self::Kernel(path, _) => format!("kernel:{path}"),
            Self::Module(name) => format!("module:{name}"),
            Self::NoModule(name) => format!("no-module:{name}"),
            Self::Says(name, _) => format!("says:{name}"),
            Self::Lines(name, _) => (*name).into(),
            Self::SaysOnly(_) => "says-only".into(),
            Self::SaysInOrder(name, _) | Self::SaysTimes(name, ..) => format!("says:{name}"),
            Self::Told(_) | Self::ToldTogether(_) => "told".into(),
            Self::Panic(_) => "panic".into(),
            Self::Ends(end) => format!("ends:{}", end.name()),
            Self::CleanDisk => "clean-disk".into(),
            Self::OnDisk(_) => "on-disk".into(),
            Self::Clean(disk) => format!("clean:{disk}"),
            Self::Unchanged(disk) => format!("unchanged:{disk}"),
            Self::MountedFrom(target, _) => format!("mounted-from:{target}"),
            Self::Kept(path) => format!("kept:{path}"),
            Self::InMemory(_) => "in-memory".into(),
            Self::ClockSet => "clock-set".into(),
        }
    }

    pub(crate) fn check(&self, seen: &Seen) -> Result<()> {
        match *self {
            Self::Mount(target, kind, options, own) => mount(seen, target, kind, options, own),
            Self::MountedAll(_, targets) => mounted_all(seen, targets),
            Self::NotMounted(target) => absent(
                seen.mount(target).is_ok(),
                "a mount",
                target,
                seen.report()?.mounts.is_empty(),
            ),
            Self::Propagation(target, expected) => same(
                "the propagation",
                seen.mount(target)?.propagation.as_str(),
                expected,
            ),
            Self::Link(path, target) => {
                same(path, seen.file(path, "link")?.content.as_str(), target)
            }
            Self::Directory(path, mode) => same(
                "the mode",
                seen.file(path, "directory")?.mode.as_str(),
                mode,
            ),
            Self::File(path, mode, content) => file(seen, path, mode, content),
            Self::Socket(path, mode, group) => socket(seen, path, mode, group),
            Self::Device(path, number) => {
                same(path, seen.file(path, "character")?.content.as_str(), number)
            }
            Self::Absent(path) => absent(
                seen.report()?.files.contains_key(path),
                "something",
                path,
                seen.report()?.files.is_empty(),
            ),
            Self::Arguments(words) => same(
                "the command line",
                texts(&seen.report()?.process.arguments),
                words.to_vec(),
            ),
            Self::Environment(expected) => process::environment(seen, expected),
            Self::Process(field, expected) => {
                same(field, process::field(seen, field)?, expected.into())
            }
            Self::Limit(name, soft, hard) => same(
                name,
                seen.report()?.limits.get(name).copied(),
                Some((soft, hard)),
            ),
            Self::Descriptors(expected) => process::descriptors(seen, expected),
            Self::Listens(number, path) => process::listens(seen, number, path),
            Self::PivotRoot(expected) => {
                same("the attempt", seen.report()?.pivot_root.as_str(), expected)
            }
            Self::Controllers(expected) => contains(
                "the controllers",
                &seen.report()?.cgroup.controllers,
                expected,
            ),
            Self::Hostname(expected) => same(
                "the name",
                seen.report()?.network.hostname.as_str(),
                expected,
            ),
            Self::LinkUp(link) => same(
                link,
                seen.report()?.network.links.get(link).map(String::as_str),
                Some("up"),
            ),
            Self::Address(address) => contains(
                "the addresses",
                &seen.report()?.network.addresses,
                &[address],
            ),
            Self::Route(route) => contains("the routes", &seen.report()?.network.routes, &[route]),
            Self::Kernel(path, expected) => same(
                path,
                seen.report()?.kernel.get(path).map(String::as_str),
                Some(expected),
            ),
            Self::Module(name) => contains("the loaded modules", &seen.report()?.modules, &[name]),
            Self::NoModule(name) => absent(
                seen.report()?.modules.iter().any(|module| module == name),
                "the module",
                name,
                seen.report()?.modules.is_empty(),
            ),
            Self::Says(_, words) => life::says(seen, words),
            Self::Lines(_, lines) => lines.iter().try_for_each(|words| life::says(seen, words)),
            Self::SaysOnly(lines) => life::says_only(seen, lines),
            Self::SaysInOrder(_, lines) => life::says_in_order(seen, lines),
            Self::SaysTimes(_, times, words) => life::says_times(seen, times, words),
            Self::Told(lines) => life::told(seen, lines),
            Self::ToldTogether(lines) => life::told_together(seen, lines),
            Self::Panic(status) => life::says(
                seen,
                &[
                    "Kernel panic - not syncing: Attempted to kill init!",
                    status,
                ],
            ),
            Self::Ends(end) => life::ends(seen, end),
            Self::CleanDisk => inspect::clean(&seen.disk(ROOT)?.path),
            Self::OnDisk(paths) => inspect::replayed_holds(&seen.disk(ROOT)?.path, paths),
            Self::Clean(name) => inspect::clean(&seen.disk(name)?.path),
            Self::Unchanged(name) => appliance::unchanged(seen, name),
            Self::MountedFrom(target, source) => {
                same("its source", seen.mount(target)?.source.as_str(), source)
            }
            Self::Kept(path) => appliance::kept(seen, path),
            Self::InMemory(most) => appliance::in_memory(seen, most),
            Self::ClockSet => appliance::clock_set(seen),
        }
    }
}

fn mount(seen: &Seen, target: &str, kind: &str, options: &str, own: &str) -> Result<()> {
    let mount = seen.mount(target)?;
    same("its type", mount.file_system.as_str(), kind)?;
    same("its options", mount.options.join(",").as_str(), options)?;
    let expected: Vec<&str> = own.split(',').filter(|option| !option.is_empty()).collect();
    contains("its file system's options", &mount.super_options, &expected)
}

fn mounted_all(seen: &Seen, targets: &[&str]) -> Result<()> {
    let mut found: Vec<&str> = seen
        .report()?
        .mounts
        .iter()
        .map(|mount| mount.target.as_str())
        .collect();
    let mut expected = targets.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    same("the list of mounts", found, expected)
}

fn file(seen: &Seen, path: &str, mode: &str, content: Content) -> Result<()> {
    let file = seen.file(path, "file")?;
    same("its mode", file.mode.as_str(), mode)?;
    match content {
        Content::Is(expected) => same("its content", file.content.as_str(), expected),
        Content::Has(part) if file.content.contains(part) => Ok(()),
        Content::MachineId => appliance::machine_id(&file.content),
        Content::Has(part) => bail!("{path} does not contain `{part}`: {:?}", file.content),
    }
}

fn socket(seen: &Seen, path: &str, mode: &str, group: u32) -> Result<()> {
    let file = seen.file(path, "socket")?;
    same(
        "its mode and group",
        (file.mode.as_str(), file.group),
        (mode, group),
    )
}

/// `blind`: the list is empty, so its absence there means nothing.
fn absent(found: bool, what: &str, place: &str, blind: bool) -> Result<()> {
    match (found, blind) {
        (_, true) => bail!("the probe reported nothing of this kind at all"),
        (true, _) => bail!("there is {what} at {place}"),
        (false, _) => Ok(()),
    }
}

fn contains(what: &str, found: &[String], expected: &[&str]) -> Result<()> {
    match expected
        .iter()
        .find(|part| !found.iter().any(|entry| entry == *part))
    {
        Some(missing) => bail!("{what} lack `{missing}`: {}", found.join(" ")),
        None => Ok(()),
    }
}
