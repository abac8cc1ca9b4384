//! QEMU's process. Everything that comes from it (bytes on a serial port, an event, its end) goes into one state under one lock
//! and wakes whoever waits, so a wait ends as soon as its condition holds. Every wait has a limit.
//!
//! QEMU does not outlive the harness: the kernel kills it when the thread that started it and waits for it is gone.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use super::{
    arguments::{CONSOLE, QMP, REPORT},
    console::Console,
    qmp,
};

/// How long QEMU may take to end once it was killed.
const END: Duration = Duration::from_secs(10);

/// How a guest ended.
#[derive(Clone, Debug)]
pub struct Exit {
    pub status: ExitStatus,
    /// QEMU's reason: `guest-reset` (also after a panic, by panic=N), `guest-shutdown`, `host-qmp-quit`; none: QEMU died.
    pub reason: Option<String>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) console: Console,
    /// All that came over the second serial port.
    pub(super) report: Vec<u8>,
    pub(super) exit: Option<Exit>,
    /// Why the guest stopped, reported before QEMU ends.
    reason: Option<String>,
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Dropping it kills QEMU.
pub(super) struct Process {
    pub(super) shared: Arc<Shared>,
    /// Our ends of the two serial ports.
    pub(super) console: UnixStream,
    pub(super) report: UnixStream,
    handle: OwnedFd,
    complaints: PathBuf,
}

impl Process {
    /// Starts QEMU. The console also goes to the file `path`, and to the screen if `show` is set. The other values are QMP.
    pub(super) fn start(
        arguments: &[String],
        path: &Path,
        show: bool,
    ) -> Result<(Self, UnixStream, Receiver<Value>)> {
        let (console, console_end) = UnixStream::pair()?;
        let (report, report_end) = UnixStream::pair()?;
        let (qmp, qmp_end) = UnixStream::pair()?;
        let complaints = path.with_extension("stderr");
        let mut file = create(path)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(create(&complaints)?).process_group(0);
        let ends = [(console_end, CONSOLE), (report_end, REPORT), (qmp_end, QMP)];
        let mapping = |(end, child_fd)| FdMapping {
            parent_fd: OwnedFd::from(end),
            child_fd,
        };
        command.fd_mappings(ends.map(mapping).into())?;

        let shared = Arc::new(Shared::default());
        let console_reader = shared.read(console.try_clone()?, move |state, bytes| {
            let _ = file.write_all(bytes); // A full disk must not end the guest.
            if show {
                let _ = std::io::stderr().write_all(bytes);
            }
            state.console.push(bytes, Instant::now());
        });
        let report_reader = shared.read(report.try_clone()?, |state, bytes| {
            state.report.extend_from_slice(bytes);
        });
        let events = Arc::clone(&shared);
        let (qmp_reader, answers) = qmp::read(&qmp, move |event| events.note(event))?;
        let handle = shared.keep(command, [console_reader, report_reader, qmp_reader])?;
        let process = Self {
            shared,
            console,
            report,
            handle,
            complaints,
        };
        Ok((process, qmp, answers))
    }

    /// QEMU's first error message.
    pub(super) fn complaint(&self) -> Option<String> {
        let said = fs::read_to_string(&self.complaints).ok()?;
        said.lines().next().map(str::to_owned)
    }

    /// Waits until `done` returns something, the guest has ended, or the limit has passed.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&State) -> Option<T>,
    ) -> Result<T> {
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
                let seconds = limit.as_secs();
                return Err(anyhow!("waited {seconds} s for {what} in vain"));
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn wait_exit(&self, limit: Duration) -> Result<Exit> {
        self.wait("the guest to end", limit, |state| state.exit.clone())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL); // It may have ended already.
        let _ = self.wait_exit(END);
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles one of QEMU's events.
    fn note(&self, event: &Value) {
        if event["event"] == "SHUTDOWN" {
            let reason = event["data"]["reason"].as_str().map(str::to_owned);
            self.change(|state| state.reason = reason);
        }
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

    /// Starts QEMU and waits for its end, in one thread: the parent-death signal is tied to the thread that starts it.
    fn keep(self: &Arc<Self>, mut command: Command, ports: [JoinHandle<()>; 3]) -> Result<OwnedFd> {
        let shared = Arc::clone(self);
        let (sender, started) = channel();
        thread::spawn(move || {
            let child = command.spawn();
            drop(command); // Closes our copies of QEMU's ends of the ports: now only QEMU holds them.
            match child {
                Ok(mut child) => {
                    let _ = sender.send(handle(&child));
                    shared.end(&mut child, ports);
                }
                Err(error) => {
                    let about = "start setpriv (of util-linux) with qemu-system-x86_64";
                    let _ = sender.send(Err(error).context(about));
                }
            }
        });
        started
            .recv()
            .context("the thread that starts QEMU is gone")?
    }

    /// Waits for QEMU's end, and records it after everything that came before it.
    fn end(&self, child: &mut Child, ports: [JoinHandle<()>; 3]) {
        let Ok(status) = child.wait() else { return };
        for port in ports {
            let _ = port.join();
        }
        self.change(|state| {
            let reason = state.reason.take();
            state.exit = Some(Exit { status, reason });
        });
    }
}

fn handle(child: &Child) -> Result<OwnedFd> {
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).context("watch QEMU")
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("create {}", path.display()))
}
