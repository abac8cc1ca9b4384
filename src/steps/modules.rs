//! Loads the kernel modules that Docker's network and storage need and the kernel does not have yet, with the image's modprobe;
//! on the machine also the modules that the image's files name (modules-load.d(5)). Modules that the kernel loads by itself on
//! first use (nf_tables, most of xt_*) are left to it.
//!
//! Loading them takes longer than the rest of a launch, most of it to check signatures. So on a machine that this process
//! supervises a first call of modprobe loads what the next steps need, and a second call the others, beside these steps.

use crate::{
    docker::{command::Command, config::Config},
    error::Step,
    fs::{self, Lookup},
    launch::{Launch, Outcome},
    settings::Role,
    steps::programs::{AtEnd, Program},
    text::{Text, list, words},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fd::AsFd,
    fs::CWD,
    io::{Errno, Result},
};

/// A module, and a path that exists once it is loaded or built in.
struct Row {
    name: &'static str,
    shows: &'static CStr,
    when: When,
    load: Load,
}

/// When it is loaded on a machine where this process supervises.
enum Load {
    /// Before the steps that wait, and before containerd.
    First,
    /// Beside the next steps; but before them if they make the daemon's bridge.
    WithBridge,
    /// Beside the next steps.
    Later,
}
use Load::{First, Later, WithBridge};

enum When {
    Always,
    /// Only if this process stays as the supervisor.
    Supervising,
    /// Only with legacy iptables.
    Legacy,
}
use When::{Always, Legacy, Supervising};

const TABLE: &[Row] = &[
    Row {
        name: "overlay",
        shows: c"/sys/module/overlay",
        when: Always,
        load: First,
    },
    Row {
        name: "bridge",
        shows: c"/sys/module/bridge",
        when: Always,
        load: WithBridge,
    },
    Row {
        name: "br_netfilter",
        shows: c"/proc/sys/net/bridge",
        when: Always,
        load: Later,
    },
    Row {
        name: "veth",
        shows: c"/sys/module/veth",
        when: Always,
        load: Later,
    },
    Row {
        name: "nf_nat",
        shows: c"/sys/module/nf_nat",
        when: Always,
        load: Later,
    },
    // With it the kernel reports the power button, which also ends the waits of a launch.
    Row {
        name: "button",
        shows: c"/sys/bus/acpi/drivers/button",
        when: Supervising,
        load: First,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_addrtype",
        shows: c"/sys/module/xt_addrtype",
        when: Always,
        load: Later,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_conntrack",
        shows: c"/sys/module/xt_conntrack",
        when: Always,
        load: Later,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_MASQUERADE",
        shows: c"/sys/module/xt_MASQUERADE",
        when: Always,
        load: Later,
    },
    // iptables loads them too, but with the modprobe path of the kernel.
    Row {
        name: "ip_tables",
        shows: c"/proc/net/ip_tables_names",
        when: Legacy,
        load: Later,
    },
    Row {
        name: "ip6_tables",
        shows: c"/proc/net/ip6_tables_names",
        when: Legacy,
        load: Later,
    },
];

/// Where images name modules to load at boot: a file, and directories of `NAME.conf` files. A file in the first directory
/// hides a file of the same name in the second.
const FILE: &CStr = c"/etc/modules";
const DIRECTORIES: [&CStr; 2] = [c"/etc/modules-load.d", c"/usr/lib/modules-load.d"];

/// The modules of the table, and up to 48 from the setting and the files; a name has at most 56 bytes.
const MOST: usize = TABLE.len() + 48;
pub(crate) type Name = Text<57>;
pub(crate) type Names = Vec<Name, MOST>;

/// How long modprobe may take, in seconds: enough for slow flash and an emulated processor.
const LIMIT: u32 = 60;

/// The modules that load beside the next steps.
pub(crate) struct Beside {
    /// modprobe, or why it was not started; `None`: no module is missing.
    program: Option<Result<Program>>,
    names: Names,
}

/// Loads what the next steps need: on the machine the drivers that are named, and, if this process supervises, the rows for that.
/// A failure is a warning: Docker itself says which feature fails. Without modprobe nothing is loaded: these names are returned,
/// so that one line names them and the others.
///
/// # Errors
/// [`Step::Modules`]: too many modules, or a name that no module can have.
pub(crate) fn load_first(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
) -> Outcome<Names> {
    let mut missing = Names::new();
    let rows = TABLE
        .iter()
        .filter(|row| is_wanted(launch, command, row) && is_first(launch, config, row));
    add_all(launch, &mut missing, rows, launch.role == Role::Machine)?;
    if missing.is_empty() {
        return Ok(missing);
    }
    match start(launch, command, &missing) {
        Err(Errno::NOENT) => Ok(missing),
        program => {
            finish(launch, program, &missing);
            Ok(Names::new())
        }
    }
}

/// Starts to load the others, and those that [`load_first`] has left.
///
/// # Errors
/// As [`load_first`].
pub(crate) fn load_others(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
    mut names: Names,
) -> Outcome<Beside> {
    let rows = TABLE
        .iter()
        .filter(|row| is_wanted(launch, command, row) && !is_first(launch, config, row));
    add_all(launch, &mut names, rows, launch.role == Role::Container)?;
    if names.is_empty() {
        launch.log.debug("all modules are there", &[]);
    }
    let program = (!names.is_empty()).then(|| start(launch, command, &names));
    Ok(Beside { program, names })
}

/// Waits until all modules are there.
pub(crate) fn wait(launch: &Launch<'_>, beside: Beside) {
    if let Some(program) = beside.program {
        finish(launch, program, &beside.names);
    }
}

/// Loads only the named modules: an initramfs has the drivers, and Docker's modules are on the root.
pub(crate) fn load_named(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    let mut missing = Names::new();
    add_all(launch, &mut missing, core::iter::empty(), true)?;
    run(launch, command, &missing);
    Ok(())
}

/// Whether it is loaded before the next steps. Where this process starts no containerd, one call of modprobe loads all rows.
fn is_first(launch: &Launch<'_>, config: &Config, row: &Row) -> bool {
    let is_early = match row.load {
        First => true,
        Later => false,
        WithBridge => config.has_own_bridge(),
    };
    is_early && launch.role == Role::Machine && launch.settings.supervises(launch.role)
}

fn is_wanted(launch: &Launch<'_>, command: &Command<'_>, row: &Row) -> bool {
    match row.when {
        Always => true,
        Supervising => launch.settings.supervises(launch.role),
        Legacy => !command.first_directory.is_empty(),
    }
}

/// Adds those of the rows, and of the modules that the setting and the image name, that are missing.
fn add_all<'r>(
    launch: &Launch<'_>,
    missing: &mut Names,
    rows: impl Iterator<Item = &'r Row>,
    named: bool,
) -> Outcome<()> {
    let mut outcome = Ok(());
    let mut add = |name: &[u8]| {
        let added = match module(name) {
            // A module that is named twice is loaded once.
            Some(module) if missing.contains(&module) || is_shown(launch, module.as_bytes()) => {
                true
            }
            Some(module) => missing.push(module).is_ok(),
            None => false,
        };
        if outcome.is_ok() && !added {
            let reason = "longer than 56 bytes, or more than 48 modules";
            outcome = Err(launch.failed(Step::Modules, name, reason));
        }
    };
    rows.for_each(|row| add(row.name.as_bytes()));
    if named {
        list(launch.settings.modules.to_bytes()).for_each(&mut add);
        if launch.role == Role::Machine {
            each_in_files(launch, &mut add);
        }
    }
    outcome
}

fn run(launch: &Launch<'_>, command: &Command<'_>, missing: &Names) {
    if !missing.is_empty() {
        finish(launch, start(launch, command, missing), missing);
    }
}

fn start(launch: &Launch<'_>, command: &Command<'_>, missing: &Names) -> Result<Program> {
    let mut arguments: Vec<&CStr, { MOST + 3 }> = Vec::new();
    // The capacity is enough for all of them.
    let _ = arguments.extend_from_slice(&[c"-a", c"-q", c"--"]);
    for name in missing {
        let _ = arguments.push(name.as_c_str());
    }
    Program::start(launch, command, c"modprobe", &arguments)
}

/// Waits for modprobe, and warns of the modules that are still missing.
fn finish(launch: &Launch<'_>, program: Result<Program>, missing: &Names) {
    let outcome = program.and_then(|program| program.finish(launch, LIMIT, AtEnd::Killed));
    launch.log.debug("ran modprobe", &[]);
    let why: &[u8] = match outcome {
        Ok(0) => return,
        Ok(_) => b"modprobe could not load",
        Err(Errno::NOENT) => b"there is no modprobe in PATH to load",
        Err(Errno::TIMEDOUT) => b"modprobe took longer than 60 s and was killed, loading",
        Err(Errno::CANCELED) => b"a shutdown is requested; modprobe was killed, loading",
        Err(errno) => {
            fs::warn(launch.log, Step::Exec, c"modprobe", errno);
            b"modules are not loaded:"
        }
    };
    warn_of_missing(launch, why, missing);
}

/// Calls `each` with every module that the image's files name. An unreadable file is logged and skipped.
fn each_in_files(launch: &Launch<'_>, each: &mut dyn FnMut(&[u8])) {
    let mut read = |path: &CStr| {
        let outcome = fs::lines(path, &mut |line| {
            // Options behind the name in /etc/modules are ignored: they go in modprobe.d.
            match words(line).next() {
                None | Some([b'#' | b';', ..]) => {}
                Some(name) => each(name),
            }
        });
        outcome.if_exists_or_warn(launch.log, Step::Modules, path);
    };
    read(FILE);
    let [hiding, _] = DIRECTORIES;
    for directory in DIRECTORIES {
        let opened =
            fs::directory(directory).if_exists_or_warn(launch.log, Step::Modules, directory);
        let Some(opened) = opened else {
            continue;
        };
        let outcome = fs::entries(opened.as_fd(), &mut |name, _| {
            let path = |directory: &CStr| fs::path(&[directory.to_bytes(), b"/", name.to_bytes()]);
            let hidden = directory != hiding && fs::exists(CWD, path(hiding).as_c_str())?;
            if name.to_bytes().ends_with(b".conf") && !hidden {
                read(path(directory).as_c_str());
            }
            Ok(())
        });
        outcome.or_warn(launch.log, Step::Modules, directory);
    }
}

/// Warns of the modules that are still missing, in one line.
fn warn_of_missing(launch: &Launch<'_>, why: &[u8], missing: &[Name]) {
    let mut line: Vec<&[u8], { 2 * MOST + 2 }> = Vec::new();
    let _ = line.push(why);
    for name in missing
        .iter()
        .map(Text::as_bytes)
        .filter(|name| !is_shown(launch, name))
    {
        let _ = line.extend_from_slice(&[b" ", name]);
    }
    if line.len() > 1 {
        let _ = line.push(b" (harmless if built in)");
        launch.log.warning("", &line);
    }
}

/// Whether the module's path exists: the table's, else /sys/module/NAME.
fn is_shown(launch: &Launch<'_>, name: &[u8]) -> bool {
    let module = fs::path(&[b"/sys/module/", name]);
    let row = TABLE.iter().find(|row| row.name.as_bytes() == name);
    let place = row.map_or(module.as_c_str(), |row| row.shows);
    fs::exists(CWD, place).or_warn(launch.log, Step::Modules, place) == Some(true)
}

/// The kernel's spelling, with underscores instead of dashes.
fn module(name: &[u8]) -> Option<Name> {
    let mut module = Name::new();
    for byte in name {
        module
            .push(&[if *byte == b'-' { b'_' } else { *byte }])
            .ok()?;
    }
    Some(module)
}
