//! PID 1 as the supervisor: the daemon, and on the machine its containerd, are children in their own sessions, and this process
//! does everything else.
//!
//! One loop, which sleeps until a signal or a datagram of the daemon arrives or a timeout expires. All of its state is in
//! [`Supervisor`]. The functions that it calls are never inlined, so that it keeps little stack in use while it sleeps.
//!
//! Every turn, here and in [`shutdown`], reads signals first and then reaps children: if a child ends in between, its
//! SIGCHLD wakes the next turn. In the other order the signal could be read and the child never reaped.

mod children;
mod containerd;
mod readiness;
mod restart;
mod shutdown;
mod start;

use crate::{
    docker::command::Command,
    error::Step,
    kernel::{
        notify::{self, Notification, Notify},
        power::Button,
        requests::{EndRequest, end_request},
        signals::{BUTTON, End, Meaning, Signals, meaning, send},
        wait::{NEVER, readable},
    },
    launch::{Context, Ended, Failed, Launch, Outcome},
    settings::{OnExit, Role},
    steps::{
        containerd::Containerd,
        daemon::{self, Daemon},
    },
    sys,
    text::{Decimal, Text},
};
use children::Status;
use containerd::Beside;
use restart::{Backoff, UNIT};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    process::{Pid, getpid, set_child_subreaper},
};

/// After how many seconds without readiness a warning is logged. The daemon may take longer.
const READY: u64 = 120;

/// The maximum number of signals that one turn reads.
const AT_ONCE: usize = 64;

/// How much stack a launch may have used, and a turn of the loop may use, in bytes.
const LAUNCH: usize = 256 * 1024;
const TURN: usize = 128 * 1024;

struct Supervisor<'l> {
    launch: &'l Launch<'l>,
    command: &'l Command<'l>,
    prepared: &'l Daemon,
    signals: Signals,
    notify: Option<Notify>,
    /// The containerd that this process starts; `None` if dockerd starts its own.
    containerd: Option<Beside<'l>>,
    /// The daemon, while it runs.
    daemon: Option<Pid>,
    /// The program of DOCKER_LAUNCH_READY, while it runs.
    ready_program: Option<Pid>,
    /// The exit status of the last daemon.
    last: u8,
    started: u64,
    /// When to start the next daemon, while none runs.
    next: u64,
    /// When to warn that the daemon is not ready.
    late: u64,
    /// Whether this daemon is ready.
    ready: bool,
    /// Whether any daemon was ready before.
    was_ready: bool,
    backoff: Backoff,
    /// A shutdown has begun.
    is_ending: bool,
}

/// Supervises the daemon, or executes it in place of this process, depending on the settings.
pub(crate) fn start(
    launch: &Launch<'_>,
    command: &Command<'_>,
    prepared: &Daemon,
    containerd: Option<&Containerd>,
) -> Outcome<Ended> {
    if !launch.settings.supervises(launch.role) {
        return daemon::replace(launch, command, prepared).map(|never| match never {});
    }
    supervise(launch, command, prepared, containerd)
}

#[inline(never)]
fn supervise(
    launch: &Launch<'_>,
    command: &Command<'_>,
    prepared: &Daemon,
    containerd: Option<&Containerd>,
) -> Outcome<Ended> {
    sys::give_back_stack::<LAUNCH>();
    let mut supervisor = Supervisor::new(launch, command, prepared, containerd)?;
    let requested = end_request(launch.role).or_else(|| supervisor.await_containerd());
    if let Some(asked) = requested {
        // A shutdown was requested during the launch: start no daemon.
        asked.log(launch.log);
        supervisor.shut_down(asked.end);
        let status = asked.status();
        return Ok(Ended { status });
    }
    // If the first daemon cannot be executed, the launch has failed.
    supervisor.start()?;
    supervisor.late = supervisor.started + READY * UNIT;
    let end = supervisor.watch();
    supervisor.shut_down(end);
    Ok(Ended {
        status: supervisor.last,
    })
}

impl<'l> Supervisor<'l> {
    #[inline(never)]
    fn new(
        launch: &'l Launch<'l>,
        command: &'l Command<'l>,
        prepared: &'l Daemon,
        containerd: Option<&'l Containerd>,
    ) -> Outcome<Self> {
        if !getpid().is_init() {
            // In the host's PID namespace, orphans would go to the host's PID 1.
            set_child_subreaper(Some(getpid())).at(launch, Step::Daemon, c"child subreaper")?;
        }
        let notify = Notify::open(&notify::DAEMON);
        if let Err(errno) = &notify {
            launch.warn_of(Step::Daemon, b"NOTIFY_SOCKET", *errno);
        }
        if launch.role == Role::Machine && launch.requests.button.is_none() {
            launch
                .log
                .debug("no power button: the kernel reports no ACPI events", &[]);
        }
        Ok(Self {
            launch,
            command,
            prepared,
            signals: Signals::open().at(launch, Step::Daemon, c"signalfd")?,
            notify: notify.ok(),
            containerd: containerd.map(Beside::new),
            daemon: None,
            ready_program: None,
            last: 0,
            started: 0,
            next: NEVER,
            late: NEVER,
            ready: false,
            was_ready: false,
            backoff: Backoff { failures: 0 },
            is_ending: false,
        })
    }
}

impl Supervisor<'_> {
    /// Runs until a shutdown is requested, or follows from the daemon's exit.
    fn watch(&mut self) -> End {
        loop {
            let retry = self.launch.log.catch_up();
            let (hold, next) = match &self.containerd {
                Some(beside) => (beside.hold, beside.next),
                None => (0, NEVER),
            };
            let due = self.next.max(hold);
            self.wait(due.min(next).min(self.late).min(retry));
            let request = self.request();
            self.receive();
            let ran = self.daemon.is_some();
            self.reap();
            if let Some(asked) = request {
                asked.log(self.launch.log);
                return asked.end;
            }
            if ran
                && self.daemon.is_none()
                && let Some(end) = self.policy()
            {
                return end;
            }
            let now = sys::since_boot();
            if now >= next {
                self.restart_containerd();
            }
            let hold = self.containerd.as_ref().map_or(0, |beside| beside.hold);
            if now >= self.next.max(hold) {
                self.restart();
            }
            if now >= self.late {
                self.late = NEVER;
                self.warn_of_daemon(b" is not ready after 120 s; still waiting");
            }
        }
    }

    /// Sleeps until there is something to do.
    #[inline(never)]
    fn wait(&self, until: u64) {
        let signals = self.signals.as_fd();
        // A missing descriptor is replaced by the signalfd.
        let notify = self.notify.as_ref().map_or(signals, AsFd::as_fd);
        let containerd = self.containerd.as_ref().map_or(signals, Beside::notify);
        let button = self.button().map_or(signals, AsFd::as_fd);
        let mut all = [signals, notify, containerd, button]
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        sys::give_back_stack::<TURN>();
        let _ = readable(&mut all, until);
    }

    /// Returns the next shutdown request; forwards the daemon's signals.
    #[inline(never)]
    fn request(&self) -> Option<EndRequest> {
        if self.button().is_some_and(Button::was_pressed) {
            let (end, signal) = (End::PowerOff, BUTTON);
            return Some(EndRequest { end, signal });
        }
        // Limited, so that a flood of signals does not block the rest of the turn.
        for signal in core::iter::from_fn(|| self.signals.next()).take(AT_ONCE) {
            match meaning(signal, self.launch.role) {
                Meaning::End(end) => return Some(EndRequest { end, signal }),
                Meaning::Forward => self.forward(signal),
                Meaning::Nothing => {}
            }
        }
        None
    }

    /// Handles notifications.
    #[inline(never)]
    fn receive(&mut self) {
        self.receive_of_containerd();
        let Some(notify) = &self.notify else { return };
        let (mut ready, log) = (false, self.launch.log);
        notify.receive(self.daemon, &mut |notification| match notification {
            Notification::Ready => ready = true,
            Notification::Reloading => self.log_of_daemon(&[b" reloads its configuration"]),
            Notification::Stopping => log.debug("{} is stopping", &[self.name()]),
        });
        // The daemon sends READY again after a reload.
        if ready && !self.ready {
            self.is_ready();
        }
    }

    #[inline(never)]
    fn is_ready(&mut self) {
        let log = &self.launch.log;
        let now = Decimal::new(sys::since_boot());
        (self.ready, self.late) = (true, NEVER);
        log.line(
            "docker is ready, {} ms after kernel start",
            &[now.as_bytes()],
        );
        if core::mem::replace(&mut self.was_ready, true) {
            return;
        }
        if let Err(errno) = readiness::pass_on(self.command) {
            self.launch.warn_of(Step::Daemon, b"NOTIFY_SOCKET", errno);
        }
        if !self.launch.settings.ready.is_empty() {
            self.run_ready_program();
        }
    }

    /// Reaps children; logs the exit of the daemon and of the program of DOCKER_LAUNCH_READY. Returns whether children are
    /// left.
    #[inline(never)]
    fn reap(&mut self) -> bool {
        children::reap(&mut |pid, status| {
            if self.daemon == Some(pid) {
                self.daemon = None;
                self.has_ended(status);
            }
            if self
                .containerd
                .as_ref()
                .is_some_and(|beside| beside.is(pid))
            {
                self.containerd_has_ended(status);
            }
            if self.ready_program == Some(pid) {
                self.ready_program = None;
                if status.code() != 0 {
                    let path = self.launch.settings.ready.to_bytes();
                    let how = status.describe();
                    self.launch.log.warning("{} {}", &[path, how.as_bytes()]);
                }
            }
        })
    }

    #[inline(never)]
    fn has_ended(&mut self, status: Status) {
        (self.last, self.ready) = (status.code(), false);
        self.log_of_daemon(&[b" ", status.describe().as_bytes()]);
    }

    /// What follows when the daemon has ended by itself; `None`: a restart.
    #[inline(never)]
    fn policy(&mut self) -> Option<End> {
        let default = if self.is_container() {
            OnExit::Exit
        } else {
            OnExit::Restart
        };
        match self.launch.settings.on_exit.unwrap_or(default) {
            OnExit::PowerOff => Some(End::PowerOff),
            OnExit::Reboot => Some(End::Reboot),
            OnExit::Halt => Some(End::Halt),
            OnExit::Exit => Some(End::Exit),
            OnExit::Restart => {
                self.schedule();
                None
            }
        }
    }

    #[inline(never)]
    fn schedule(&mut self) {
        let now = sys::since_boot();
        let wait = self.backoff.after(now - self.started);
        self.next = now + wait;
        self.late = NEVER;
        let wait = Decimal::new(wait / 1000);
        self.log_of_daemon(&[b" is started again in ", wait.as_bytes(), b" s"]);
        if self.backoff.failures == restart::LOOP {
            let last = Decimal::new(self.last.into());
            self.launch.log.warning("crash loop: {} has ended five times within a minute of its start, the last time with status {}; see its log above", &[self.name(), last.as_bytes()]);
        }
    }

    #[inline(never)]
    fn restart(&mut self) {
        self.next = NEVER;
        if let Err(Failed) = self.start() {
            self.launch.warn(&self.launch.error());
            self.last = self.launch.error().exit_status();
            self.started = sys::since_boot();
            self.schedule();
        }
    }

    fn forward(&self, signal: u32) {
        if let Some(daemon) = self.daemon {
            send(daemon, signal);
        }
    }

    fn name(&self) -> &[u8] {
        self.command.name()
    }

    /// Logs the daemon's name and `what` it does.
    #[inline(never)]
    fn log_of_daemon(&self, what: &[&[u8]]) {
        let mut line: Text<400> = Text::new();
        // There is room for the longest file name and a short text.
        let _ = line.push(self.name()).and(line.push_all(what));
        self.launch.log.line("{}", &[line.as_bytes()]);
    }

    /// The same, as a warning.
    #[inline(never)]
    fn warn_of_daemon(&self, what: &[u8]) {
        self.launch.log.warning("{}{}", &[self.name(), what]);
    }

    fn button(&self) -> Option<&Button> {
        self.launch.requests.button.as_ref()
    }

    fn is_container(&self) -> bool {
        self.launch.role == Role::Container
    }
}
