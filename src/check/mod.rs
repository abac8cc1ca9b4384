//! `--check`: reports what the daemon with these arguments needs and what of it exists, what the kernel offers, the file
//! system of the data root, and wrong settings; each missing thing with the engine's own error message.
//!
//! It only reads files. It mounts nothing, opens no socket and loads no module, so it runs as any user, on any Linux, also
//! in a container.

mod cgroups;
mod data_root;
mod kernel;
mod misspelt;
mod report;

use crate::{
    docker::{
        command::Command,
        config::{self, Config},
        needs::{Found, NOT_CHOSEN, Need, Requirement, Search, TABLE},
    },
    error::{Error, Step, reason},
    settings::Settings,
    sys::Strings,
    text::Text,
};
use core::ffi::CStr;
use heapless::Vec;
use report::{Report, State, Thing};
use rustix::{io::Errno, system::uname};

/// For something missing that may not be needed.
const UNSURE: &str = "is missing, but the unreadable file may say that it is not needed";

const UNCHOSEN: &str = "it is needed only if the unreadable file says so";

/// Reports on standard output. Returns the exit status: 0; 1 if something required is missing, a setting is wrong or the
/// report cannot be written; 2 if there is no report.
#[inline(never)] // its stack frame must not stay in a caller that supervises
pub fn check(flag: &CStr, arguments: Strings<'_>, environment: Strings<'_>) -> u8 {
    let mut report = match flag.to_bytes() {
        b"--check" => Report::new(false),
        b"--check=json" => Report::new(true),
        other => {
            let reason = "allowed: --check, --check=json";
            return refuse(&Error::with_reason(Step::Usage, other, reason));
        }
    };
    let command = Command::to_check(arguments, environment);
    let (config, read) = match Config::known(&command) {
        Ok(known) => known,
        Err(errno) => return refuse(&Error::new(Step::Daemon, b"daemon.json", errno)),
    };
    let is_sure = read.is_ok();
    let kernel = uname();
    head(&mut report, &command, kernel.release());
    report.title("What Docker needs");
    if let Err(errno) = read {
        unread(&mut report, &command, errno);
    }
    let search = Search::new(&command, config.choices);
    let mut path = Text::new();
    for row in TABLE {
        let found = search.find(row, &mut path);
        requirement(&mut report, row, found, path.as_bytes(), is_sure);
    }
    report.title("What the kernel offers");
    kernel::report(&mut report, config.choices, is_sure, kernel.release());
    cgroups::report(&mut report);
    report.title("Where images and containers are");
    data_root::report(&mut report, &config.data_root, config.choices, is_sure);
    settings(&mut report, environment);
    report.verdict()
}

fn refuse(error: &Error) -> u8 {
    Settings::default().report(error);
    2
}

/// The head of the report: the program, the kernel and the daemon.
fn head(report: &mut Report, command: &Command<'_>, kernel: &CStr) {
    let daemon = command.arguments().next().unwrap_or_default().to_bytes();
    let version = env!("DOCKERLAUNCH_VERSION").as_bytes();
    let features = env!("DOCKERLAUNCH_FEATURES").as_bytes();
    report.begin(&Thing {
        kind: "program",
        name: b"dockerlaunch",
        state: State::Found,
        detail: ("version", version),
        need: Need::Required,
        lost: "",
        error: "",
        remedy: &[],
    });
    for (key, label, value) in &[
        ("features", &b"features: "[..], features),
        ("kernel", b"on Linux ", kernel.to_bytes()),
        ("daemon", b"for ", daemon),
    ] {
        report.line(&[*label, *value], false);
        report.fact(key, &[*value]);
    }
    report.end();
}

/// Reports an unreadable daemon.json. If only this user may not read it, the state is unknown: the engine runs as root.
fn unread(report: &mut Report, command: &Command<'_>, errno: Errno) {
    let state = match errno {
        Errno::ACCESS | Errno::PERM => State::Unknown,
        _ => State::Missing,
    };
    report.begin(&Thing {
        kind: "file",
        name: config::file(command),
        state,
        detail: ("fault", reason(errno).as_bytes()),
        need: Need::Required,
        lost: "dockerd does not start",
        error: "unable to configure the Docker daemon with file",
        remedy: &[],
    });
    report.end();
}

fn requirement(report: &mut Report, row: &Requirement, found: Found, path: &[u8], is_sure: bool) {
    let (state, detail) = match found {
        Found::There => (State::Found, ("path", path)),
        Found::Needless(NOT_CHOSEN) if !is_sure => {
            (State::Unknown, ("because", UNCHOSEN.as_bytes()))
        }
        Found::Needless(why) => (State::Needless, ("because", why.as_bytes())),
        Found::Not(_) if !is_sure && row.choices().next().is_some() => {
            (State::Unknown, ("because", UNSURE.as_bytes()))
        }
        Found::Not(fault) => (State::missing(row.need), ("fault", fault.as_bytes())),
        Found::Unknown(why) => (State::Unknown, ("because", why.as_bytes())),
    };
    let mut remedy: Vec<&[u8], 12> = Vec::new();
    // The capacity is enough for the choices of any row.
    let _ = remedy.extend_from_slice(&[b"install ", row.package().as_bytes()]);
    let mut or: &[u8] = b", or use ";
    for choice in row.choices() {
        let _ = remedy.extend_from_slice(&[or, choice.spelled.as_bytes()]);
        or = b" or ";
    }
    report.begin(&Thing {
        kind: "requirement",
        name: row.name.as_bytes(),
        state,
        detail,
        need: row.need,
        lost: row.lost(),
        error: row.error(),
        remedy: &remedy,
    });
    let [first, second] = row.places();
    let colon = if first.is_empty() || second.is_empty() {
        ""
    } else {
        ":"
    };
    report.fact(
        "looked_for",
        &[first.as_bytes(), colon.as_bytes(), second.as_bytes()],
    );
    report.fact("unless", remedy.get(3..).unwrap_or_default());
    for (key, value) in &[
        ("package", row.package()),
        ("needed_by", row.needed_by()),
        ("ignorable", row.ignorable()),
        ("feature", row.feature()),
    ] {
        report.fact(key, &[value.as_bytes()]);
    }
    report.end();
}

/// Reports the DOCKER_LAUNCH_* variables that a launch would refuse or ignore.
fn settings<'a>(report: &mut Report, environment: impl Iterator<Item = &'a CStr>) {
    let mut titled = false;
    for variable in environment {
        let Some((name, error)) = Settings::fault(variable) else {
            continue;
        };
        if !core::mem::replace(&mut titled, true) {
            report.title("Settings");
        }
        let thing = Thing {
            kind: "setting",
            name: variable.to_bytes(),
            state: State::Missing,
            detail: ("fault", b"not allowed"),
            need: Need::Required,
            lost: "the launch would end",
            error: "",
            remedy: &[],
        };
        if let Some(error) = error {
            report.begin(&thing);
            error.format(&mut |parts| {
                report.line(parts, false);
                report.fact("reason", parts);
            });
        } else {
            report.begin(&Thing {
                state: State::Lacking,
                detail: ("fault", b"no such setting"),
                need: Need::Optional,
                lost: "it would be ignored",
                ..thing
            });
            if let Some(nearest) = misspelt::nearest(name) {
                let (prefix, nearest) = (&b"DOCKER_LAUNCH_"[..], nearest.as_bytes());
                report.line(&[b"the nearest is ", prefix, nearest], false);
                report.fact("nearest", &[prefix, nearest]);
            }
        }
        report.end();
    }
}
