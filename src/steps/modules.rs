//! Kernel modules: what Docker's network and storage need and the kernel does not have yet, by one call of the image's
//! modprobe; on the machine those that the image's files name, too (modules-load.d(5)). What the kernel loads by itself when
//! it is used (nf_tables, most of xt_*) is left to it.

use crate::{
    docker::command::Command,
    error::Step,
    fs::{self, Lookup},
    launch::{Launch, Outcome},
    settings::Role,
    steps::programs::{self, AtEnd},
    text::{Text, list, words},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{fd::AsFd, fs::CWD, io::Errno};

/// A module, and what is there once the kernel has it, built in or loaded.
struct Row {
    name: &'static str,
    shows: &'static CStr,
    when: When,
}

enum When {
    Always,
    /// Only where this process stays.
    Supervising,
    /// Only where iptables is the legacy one.
    Legacy,
}
use When::{Always, Legacy, Supervising};

const TABLE: &[Row] = &[
    Row {
        name: "overlay",
        shows: c"/sys/module/overlay",
        when: Always,
    },
    Row {
        name: "bridge",
        shows: c"/sys/module/bridge",
        when: Always,
    },
    Row {
        name: "br_netfilter",
        shows: c"/proc/sys/net/bridge",
        when: Always,
    },
    Row {
        name: "veth",
        shows: c"/sys/module/veth",
        when: Always,
    },
    Row {
        name: "nf_nat",
        shows: c"/sys/module/nf_nat",
        when: Always,
    },
    // The power button, whose press the kernel then tells of.
    Row {
        name: "button",
        shows: c"/sys/bus/acpi/drivers/button",
        when: Supervising,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_addrtype",
        shows: c"/sys/module/xt_addrtype",
        when: Always,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_conntrack",
        shows: c"/sys/module/xt_conntrack",
        when: Always,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_MASQUERADE",
        shows: c"/sys/module/xt_MASQUERADE",
        when: Always,
    },
    // iptables asks for them itself, but of the kernel's own modprobe.
    Row {
        name: "ip_tables",
        shows: c"/proc/net/ip_tables_names",
        when: Legacy,
    },
    Row {
        name: "ip6_tables",
        shows: c"/proc/net/ip6_tables_names",
        when: Legacy,
    },
];

/// Where images name modules to be loaded at boot: a file, and directories of files `NAME.conf`, of which the first hides
/// those of the same name in the second.
const FILE: &CStr = c"/etc/modules";
const DIRECTORIES: [&CStr; 2] = [c"/etc/modules-load.d", c"/usr/lib/modules-load.d"];

/// Those of the table and as many as the setting and the files may name, each of up to 56 bytes.
const MOST: usize = TABLE.len() + 48;
type Name = Text<57>;

/// How long modprobe may take, in seconds: slow flash and an emulated processor included.
const LIMIT: u32 = 60;

/// Loads what is missing. What cannot be loaded is told: Docker says itself which feature fails.
///
/// # Errors
/// [`Step::Modules`]: more modules than fit, or a name that no module can have.
pub(crate) fn load(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    load_with(launch, command, TABLE)
}

/// Without those that Docker needs: an initramfs has drivers, and the rest lies on the root.
pub(crate) fn load_named(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    load_with(launch, command, &[])
}

fn load_with(launch: &Launch<'_>, command: &Command<'_>, own: &[Row]) -> Outcome<()> {
    let mut missing: Vec<Name, MOST> = Vec::new();
    let mut outcome = Ok(());
    let mut add = |name: &[u8]| {
        let added = match module(name) {
            // Named twice, it is loaded once.
            Some(module) if missing.contains(&module) || is_shown(launch, module.as_bytes()) => {
                true
            }
            Some(module) => missing.push(module).is_ok(),
            None => false,
        };
        if outcome.is_ok() && !added {
            let reason = "longer than 56 bytes, or one of more than 48";
            outcome = Err(launch.failed(Step::Modules, name, reason));
        }
    };
    let is_wanted = |row: &&Row| match row.when {
        Always => true,
        Supervising => launch.settings.supervises(launch.role),
        Legacy => !command.first_directory.is_empty(),
    };
    let own = own.iter().filter(is_wanted);
    own.for_each(|row| add(row.name.as_bytes()));
    list(launch.settings.modules.to_bytes()).for_each(&mut add);
    if launch.role == Role::Machine {
        each_in_files(launch, &mut add);
    }
    outcome?;
    if missing.is_empty() {
        launch.log.debug(&[b"all modules are there"]);
        return Ok(());
    }
    let mut arguments: Vec<&CStr, { MOST + 3 }> = Vec::new();
    // There is room for all of them by the lengths above.
    let _ = arguments.extend_from_slice(&[c"-a", c"-q", c"--"]);
    for name in &missing {
        let _ = arguments.push(name.as_c_str());
    }
    let outcome = programs::run(
        launch,
        command,
        c"modprobe",
        &arguments,
        LIMIT,
        AtEnd::Killed,
    );
    launch.log.debug(&[b"ran modprobe"]);
    let why: &[u8] = match outcome {
        Ok(0) => return Ok(()),
        Ok(_) => b"modprobe could not load",
        Err(Errno::NOENT) => b"there is no modprobe in PATH and the kernel does not show",
        Err(Errno::TIMEDOUT) => b"modprobe took longer than 60 s and was ended, loading",
        Err(Errno::CANCELED) => b"the end is asked for, and modprobe was killed, loading",
        Err(errno) => {
            fs::warn(launch.log, Step::Exec, c"modprobe", errno);
            b"the kernel does not show"
        }
    };
    tell(launch, why, &missing);
    Ok(())
}

/// Calls `each` with every module that the image's files name. A file that cannot be read names none.
fn each_in_files(launch: &Launch<'_>, each: &mut dyn FnMut(&[u8])) {
    let mut read = |path: &CStr| {
        let outcome = fs::lines(path, &mut |line| {
            // What follows the name in /etc/modules are options, which belong into modprobe.d.
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
        let outcome = fs::entries(opened.as_fd(), &mut |name| {
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

/// One warning that names those which the kernel still does not show.
fn tell(launch: &Launch<'_>, why: &[u8], missing: &[Name]) {
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
        let _ = line.push(b" (no matter if they are built in)");
        launch.log.warning(&line);
    }
}

/// Whether the kernel shows what the module gives; of one that is not in the table, the module itself.
fn is_shown(launch: &Launch<'_>, name: &[u8]) -> bool {
    let module = fs::path(&[b"/sys/module/", name]);
    let row = TABLE.iter().find(|row| row.name.as_bytes() == name);
    let place = row.map_or(module.as_c_str(), |row| row.shows);
    fs::exists(CWD, place).or_warn(launch.log, Step::Modules, place) == Some(true)
}

/// As the kernel names it, which has no dashes.
fn module(name: &[u8]) -> Option<Name> {
    let mut module = Name::new();
    for byte in name {
        module
            .push(&[if *byte == b'-' { b'_' } else { *byte }])
            .ok()?;
    }
    Some(module)
}
