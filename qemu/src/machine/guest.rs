//! A running guest: what it says, and what it can be asked.
//!
//! Everything that happens (bytes on a serial port, an event, QEMU's end) goes into one state under one lock and wakes
//! whoever waits; so a wait ends the moment its condition holds, and no wait is without a limit. QEMU does not outlive
//! the harness: the kernel kills it when the thread that started it, and waits for it, is gone.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, anyhow};
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

use super::{
    Machine, arguments,
    console::{Console, Line},
    fault,
    qmp::{self, Qmp},
};
use crate::paths;

/// How many lines of the console an error shows.
const SHOWN: usize = 40;

/// How long QEMU may take to end once it was asked to.
const END: Duration = Duration::from_secs(10);

/// How a guest ended.
#[derive(Clone, Debug)]
pub struct Exit {
    pub status: ExitStatus,
    /// QEMU's reason: `guest-reset` (also a panic's, by panic=-1), `guest-shutdown`, `host-qmp-quit`; none: it died.
    pub reason: Option<String>,
    pub at: Instant,
}

pub struct Guest {
    shared: Arc<Shared>,
    process: OwnedFd,
    qmp: Mutex<Qmp>,
    report: UnixStream,
    forwards: Vec<(u16, u16)>,
    console_path: PathBuf,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    console: Console,
    report: Vec<u8>,
    reason: Option<String>,
    exit: Option<Exit>,
}

impl Guest {
    pub(super) fn start(machine: &Machine) -> Result<Self> {
        let (console, console_end) = UnixStream::pair()?;
        let (report, report_end) = UnixStream::pair()?;
        let (qmp, qmp_end) = UnixStream::pair()?;
        let words = arguments::qemu(machine)?;
        if machine.verbose {
            eprintln!("qemu-system-x86_64 {}", words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" "));
        }
        let directory = paths::target()?.join("qemu");
        fs::create_dir_all(&directory)?;
        let console_path = directory.join(format!("{}.console", machine.name));
        let complaints = directory.join(format!("{}.stderr", machine.name));
        let mut file = File::create(&console_path).with_context(|| format!("create {}", console_path.display()))?;

        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]).args(words).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&complaints)?);
        command.fd_mappings(vec![
            FdMapping { parent_fd: console_end.into(), child_fd: arguments::CONSOLE },
            FdMapping { parent_fd: report_end.into(), child_fd: arguments::REPORT },
            FdMapping { parent_fd: qmp_end.into(), child_fd: arguments::QMP },
        ])?;

        let shared = Arc::new(Shared::default());
        let show = machine.show_console;
        let console = shared.read(console, move |state, bytes| {
            let _ = file.write_all(bytes); // A full disk must not end the guest.
            if show {
                let _ = std::io::stderr().write_all(bytes);
            }
            state.console.push(bytes, Instant::now());
        });
        let reports = shared.read(report.try_clone()?, |state, bytes| state.report.extend_from_slice(bytes));
        let process = shared.keep(command, [console, reports])?;

        let events = Arc::clone(&shared);
        let connected = Qmp::connect(qmp, move |event| events.note(event)).and_then(|mut qmp| {
            let table = qmp.ask("human-monitor-command", json!({ "command-line": "info usernet" }));
            let forwards = if machine.forwards.is_empty() { Vec::new() } else { qmp::forwards(table?.as_str().unwrap_or("")) };
            Ok((qmp, forwards))
        });
        let (qmp, forwards) = connected.with_context(|| {
            let said = fs::read_to_string(&complaints).unwrap_or_default();
            format!("QEMU did not start: {}", said.lines().next().unwrap_or("it said nothing"))
        })?;
        Ok(Self { shared, process, qmp: Mutex::new(qmp), report, forwards, console_path })
    }

    /// The port on 127.0.0.1 that leads to the guest's `port`, which the machine must have among its forwards.
    pub fn port(&self, port: u16) -> Result<u16> {
        let found = self.forwards.iter().find(|(guest, _)| *guest == port);
        found.map(|(_, host)| *host).ok_or_else(|| anyhow!("QEMU forwards no port to the guest's {port}"))
    }

    /// All lines of the console so far.
    pub fn console(&self) -> Vec<Line> {
        self.shared.lock().console.lines.clone()
    }

    /// Where every byte of the console is kept.
    pub fn console_path(&self) -> &std::path::Path {
        &self.console_path
    }

    /// When the kernel's first line came.
    pub fn kernel_start(&self) -> Option<Instant> {
        self.shared.lock().console.kernel_start()
    }

    /// Waits for a line that `wanted` accepts, and returns the first; lines that have come already count.
    pub fn wait_for_line(&self, what: &str, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<Line> {
        let mut seen = 0;
        self.wait(what, limit, |state| {
            let found = state.console.lines[seen..].iter().find(|line| wanted(&line.text)).cloned();
            seen = state.console.lines.len();
            found
        })
    }

    /// Waits until `done` makes something of the bytes that came over the second serial port.
    pub fn wait_for_report<T>(&self, what: &str, limit: Duration, mut done: impl FnMut(&[u8]) -> Option<T>) -> Result<T> {
        self.wait(what, limit, |state| done(&state.report))
    }

    /// Sends bytes to the guest's second serial port.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        (&self.report).write_all(bytes).context("write to the guest's second serial port")
    }

    /// An error once the guest has ended.
    pub fn alive(&self) -> Result<()> {
        match &self.shared.lock().exit {
            Some(exit) => Err(anyhow!("QEMU has ended ({})", exit.status)),
            None => Ok(()),
        }
    }

    /// Waits until the guest has ended by itself.
    pub fn wait_exit(&self, limit: Duration) -> Result<Exit> {
        self.wait("the guest to end", limit, |state| state.exit.clone())
    }

    /// Asks QEMU something over QMP, for example `system_powerdown`, the power button.
    pub fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        self.qmp.lock().unwrap_or_else(PoisonError::into_inner).ask(command, arguments)
    }

    /// Ends QEMU at once, as a cut of the power does.
    pub fn quit(&self) -> Result<Exit> {
        let asked = self.qmp("quit", json!({}));
        match (self.wait_exit(END), asked) {
            (Ok(exit), _) => Ok(exit), // The answer may be lost with QEMU.
            (Err(error), asked) => Err(asked.err().unwrap_or(error)),
        }
    }

    /// The error together with the end of the console.
    pub fn explain(&self, error: Error) -> Error {
        let state = self.shared.lock();
        let ended = match &state.exit {
            Some(exit) => format!("\nQEMU has ended ({}, {})", exit.status, exit.reason.as_deref().unwrap_or("no reason given")),
            None => String::new(),
        };
        let end = state.console.end(SHOWN);
        anyhow!("{error:#}{ended}\nthe end of the console, all of it in {}:\n{end}", self.console_path.display())
    }

    /// The emulator's fault that the console shows, if it shows one.
    pub(super) fn emulator_fault(&self, init: &str) -> Option<String> {
        let state = self.shared.lock();
        fault::find(state.console.lines.iter().map(|line| line.text.as_str()), init, state.exit.is_none())
    }

    /// Every wait: until `done` gives something, the guest has ended, or the limit has passed.
    fn wait<T>(&self, what: &str, limit: Duration, mut done: impl FnMut(&State) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            if let Some(value) = done(&state) {
                return Ok(value);
            }
            if state.exit.is_some() {
                return Err(anyhow!("the guest ended while waiting for {what}"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(anyhow!("waited {} s for {what}, it did not come", limit.as_secs()));
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL); // It may have ended already.
        let _ = self.wait_exit(END);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Reads one of QEMU's ports until QEMU is gone.
    fn read(
        self: &Arc<Self>,
        mut port: UnixStream,
        mut take: impl FnMut(&mut State, &[u8]) + Send + 'static,
    ) -> JoinHandle<()> {
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = port.read(&mut buffer) {
                shared.change(|state| take(state, &buffer[..count]));
            }
        })
    }

    /// Starts QEMU and waits for its end, in a thread of its own: the parent-death signal is tied to the thread.
    fn keep(self: &Arc<Self>, command: Command, ports: [JoinHandle<()>; 2]) -> Result<OwnedFd> {
        let shared = Arc::clone(self);
        let (sender, started) = channel();
        thread::spawn(move || keep(&shared, command, ports, &sender));
        started.recv().context("the thread that starts QEMU is gone")?
    }

    fn note(&self, event: &Value) {
        if event["event"] == "SHUTDOWN" {
            let reason = event["data"]["reason"].as_str().map(str::to_owned);
            self.change(|state| state.reason = reason);
        }
    }
}

fn keep(shared: &Shared, mut command: Command, ports: [JoinHandle<()>; 2], started: &Sender<Result<OwnedFd>>) {
    let spawned = command.spawn().context("start setpriv (of util-linux) with qemu-system-x86_64");
    drop(command); // With it QEMU's ends of the ports: now only QEMU holds them.
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return drop(started.send(Err(error))),
    };
    let pid = Pid::from_child(&child);
    let _ = started.send(pidfd_open(pid, PidfdFlags::empty()).context("watch QEMU"));
    if let Ok(status) = child.wait() {
        for port in ports {
            let _ = port.join(); // What the guest said last comes before its end.
        }
        let at = Instant::now();
        shared.change(|state| state.exit = Some(Exit { status, reason: state.reason.take(), at }));
    }
}

fn shell(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
