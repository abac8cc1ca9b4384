//! The stand-in for a supervised daemon: its arguments say what it does, one after another, and it writes what happens to it
//! to /events.

use crate::{
    root::Root,
    running::{Running, Start},
    stand_ins::has_started,
};
use nix::{
    sys::{
        signal::{SigSet, Signal, raise},
        signalfd::SignalFd,
    },
    unistd::{getpid, getsid},
};
use rustix::{
    net::accept,
    process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};
use std::{
    env,
    fs::{self, File},
    io::Write,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, ExitCode, Stdio, exit},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) const EVENTS: &str = "/events";

/// A root with the stand-in.
pub(crate) fn root() -> Root {
    let root = Root::new();
    root.stand_in("/usr/bin/engine");
    root
}

/// As the machine, which supervises the stand-in.
pub(crate) fn machine(root: &Root) -> Start<'_> {
    root.machine()
        .variable("DOCKER_LAUNCH_REAP", "auto")
        .words(["engine"])
}

/// As a container that supervises the stand-in.
pub(crate) fn container(root: &Root) -> Start<'_> {
    root.container()
        .variable("DOCKER_LAUNCH_REAP", "true")
        .words(["engine"])
}

/// The events, one a line.
pub(crate) fn events(root: &Root) -> Vec<String> {
    let text = fs::read_to_string(root.path(EVENTS)).unwrap_or_default();
    text.lines().map(String::from).collect()
}

impl Running<'_> {
    /// Waits until an event has happened so many times.
    pub(crate) fn until_event(&self, root: &Root, event: &str, times: usize) {
        self.until(event, |_| {
            events(root).iter().filter(|line| *line == event).count() >= times
        });
    }
}

pub(crate) fn event(text: &str) {
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(EVENTS)
        .unwrap();
    file.write_all(format!("{text}\n").as_bytes()).unwrap();
}

pub(crate) fn engine() -> ExitCode {
    let all = SigSet::all();
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "status") {
        status();
    }
    // Signals from now on stay pending.
    all.thread_block().unwrap();
    if words.is_empty() {
        // It runs as the program of DOCKER_LAUNCH_READY.
        alone();
    }
    event("start");
    let _ = has_started();
    for word in &words {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        let (verb, rest) = match verb.split_once('@') {
            // Waits until that signal arrives.
            Some((verb, signal)) => (verb, format!("go on@{signal}")),
            None => (verb, rest.into()),
        };
        let rest: &str = &rest;
        match verb {
            "notify" => notify(rest),
            "exit" => return ExitCode::from(rest.parse::<u8>().unwrap()),
            "signal" => {
                all.thread_unblock().unwrap();
                raise(Signal::try_from(rest.parse::<i32>().unwrap()).unwrap()).unwrap();
            }
            "exit-before" => {
                let (status, times) = rest.split_once(':').unwrap();
                let started = fs::read_to_string(EVENTS).unwrap().lines().count();
                if started < times.parse().unwrap() {
                    return ExitCode::from(status.parse::<u8>().unwrap());
                }
            }
            "event" => event(rest),
            // Sends the notification from another process.
            "child" => drop(another(rest).status().unwrap()),
            "leave" => drop(another(rest).spawn().unwrap()),
            "orphans" => drop(another(&format!("spawn:{rest}")).status().unwrap()),
            "spawn" => spawn(rest.parse().unwrap()),
            "serve" => serve(),
            "none" => assert!(!Path::new(rest).exists()),
            "pid" => fs::write(rest, getpid().to_string()).unwrap(),
            "wait" => wait_for_signals(&all, rest),
            "race" => return race(),
            "end-at" => {
                let since = Duration::from_micros(rest.parse().unwrap());
                return end_at(UNIX_EPOCH + since);
            }
            "status" | "-H" | "fd" => {}
            _ => panic!("{word} is unknown to the engine stand-in"),
        }
    }
    ExitCode::SUCCESS
}

/// What the kernel shows about this process in /proc.
fn status() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        event(line);
    }
    let leads = getsid(None).unwrap() == getpid();
    event(&format!("leads its session: {leads}"));
    let mut variables: Vec<_> = env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        let own = name == "LISTEN_PID" && value == getpid().to_string();
        let value = if own { "own pid" } else { &value };
        event(&format!("{name}={value}"));
    }
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        if let Ok(to) = fs::read_link(&path)
            && !to.starts_with("/proc")
        {
            event(&format!("fd {}", path.file_name().unwrap().display()));
        }
    }
}

fn alone() -> ! {
    let mut variables: Vec<_> = env::vars()
        .map(|(name, value)| {
            if name == "PATH" {
                name
            } else {
                format!("{name}={value}")
            }
        })
        .collect();
    variables.sort();
    let leads = getsid(None).unwrap() == getpid();
    event("alone");
    event(&format!("{} leads: {leads}", variables.join(" ")));
    exit(0)
}

/// Starts this program again, with another argument.
fn another(word: &str) -> Command {
    let mut command = Command::new("/usr/bin/engine");
    command.arg(word);
    command
}

/// Leaves children that have ended: when this process ends, its reaper gets all of them in one go.
#[expect(clippy::zombie_processes, reason = "that is what they are for")]
fn spawn(count: usize) {
    for _ in 0..count {
        let mut child = Command::new("/usr/bin/dockerlaunch");
        child
            .arg("--version")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
    }
}

/// Serves one client of descriptor 3. A process can copy that descriptor only by its number.
fn serve() {
    let own = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap();
    let listener = pidfd_getfd(&own, 3, PidfdGetfdFlags::empty()).unwrap();
    let client = accept(&listener).unwrap();
    let mut buffer = [0; 64];
    let length = rustix::io::read(&client, &mut buffer).unwrap();
    let request = std::str::from_utf8(&buffer[..length]).unwrap();
    rustix::io::write(&client, format!("got {request}").as_bytes()).unwrap();
}

/// Ends with status 7 some microseconds after an orphan of its own. Both wait for the same moment, when PID 1 sleeps.
fn race() -> ExitCode {
    let moment = SystemTime::now() + Duration::from_millis(9);
    let microseconds = moment.duration_since(UNIX_EPOCH).unwrap().as_micros();
    another(&format!("leave:end-at:{microseconds}"))
        .status()
        .unwrap();
    let pid = u64::from(getpid().as_raw().unsigned_abs());
    end_at(moment + Duration::from_micros(pid * 7 % 150))
}

fn end_at(moment: SystemTime) -> ExitCode {
    if let Ok(early) = moment.duration_since(SystemTime::now()) {
        sleep(early.saturating_sub(Duration::from_millis(1)));
    }
    while SystemTime::now() < moment {}
    ExitCode::from(7)
}

pub(crate) fn notify(text: &str) {
    let socket = UnixDatagram::unbound().unwrap();
    socket
        .send_to(text.as_bytes(), env::var("NOTIFY_SOCKET").unwrap())
        .unwrap();
}

/// Writes down each signal. `STATUS` ends with that status at TERM, `STATUS@SIGNAL` at another signal, `stubborn` at none.
pub(crate) fn wait_for_signals(all: &SigSet, how: &str) {
    let (status, last) = how.split_once('@').unwrap_or((how, "15"));
    let signals = SignalFd::new(all).unwrap();
    loop {
        let signal = signals.read_signal().unwrap().unwrap().ssi_signo;
        event(&format!("signal {signal}"));
        if signal.to_string() == last && status == "go on" {
            return;
        }
        if signal.to_string() == last && how != "stubborn" {
            exit(status.parse().unwrap_or(0));
        }
    }
}
