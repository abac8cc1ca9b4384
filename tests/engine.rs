//! The stand-in for a daemon that is supervised: its words say what it does, one after another, and it writes down what
//! happens to it in /events.

use crate::{root::Root, running::Running, stand_ins::has_started};
use nix::{
    sys::{
        signal::{SigSet, Signal, raise},
        signalfd::SignalFd,
    },
    unistd::{getpid, getsid},
};
use std::{
    env,
    fs::{self, File},
    io::Write,
    os::unix::net::UnixDatagram,
    process::{ExitCode, exit},
};

pub(crate) const EVENTS: &str = "/events";

/// A root with it.
pub(crate) fn root() -> Root {
    let root = Root::new();
    root.stand_in("/usr/bin/engine");
    root
}

/// What has happened, one a line.
pub(crate) fn events(root: &Root) -> Vec<String> {
    let text = fs::read_to_string(root.path(EVENTS)).unwrap_or_default();
    text.lines().map(String::from).collect()
}

impl Running<'_> {
    /// Until an event has happened so many times.
    pub(crate) fn until_event(&self, root: &Root, event: &str, times: usize) {
        self.until(event, |_| {
            events(root).iter().filter(|line| *line == event).count() >= times
        });
    }
}

fn event(text: &str) {
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
    // What is sent from now on waits.
    all.thread_block().unwrap();
    event("start");
    let _ = has_started();
    for word in &words {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        match verb {
            "notify" => notify(rest),
            "exit" => return ExitCode::from(rest.parse::<u8>().unwrap()),
            "signal" => {
                all.thread_unblock().unwrap();
                raise(Signal::try_from(rest.parse::<i32>().unwrap()).unwrap()).unwrap();
            }
            "wait" => wait_for_signals(&all, rest),
            "status" => {}
            _ => panic!("{word} is nothing that an engine does"),
        }
    }
    ExitCode::SUCCESS
}

/// The kernel's own words about this process.
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
        let value = if value == getpid().to_string() {
            "own pid".into()
        } else {
            value
        };
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

fn notify(text: &str) {
    let socket = UnixDatagram::unbound().unwrap();
    socket
        .send_to(text.as_bytes(), env::var("NOTIFY_SOCKET").unwrap())
        .unwrap();
}

/// Writes down each. `STATUS` ends with that at TERM, `STATUS@SIGNAL` at another signal, `stubborn` at none.
fn wait_for_signals(all: &SigSet, how: &str) {
    let (status, last) = how.split_once('@').unwrap_or((how, "15"));
    let signals = SignalFd::new(all).unwrap();
    loop {
        let signal = signals.read_signal().unwrap().unwrap().ssi_signo;
        event(&format!("signal {signal}"));
        if signal.to_string() == last && how != "stubborn" {
            exit(status.parse().unwrap_or(0));
        }
    }
}
