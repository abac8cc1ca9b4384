//! Life as PID 1: the daemon is a child, in a session of its own, and this process takes care of the rest.
//!
//! One loop, which sleeps until the kernel has something to tell: a signal, a datagram of the daemon's, a time that has
//! come. It holds no state but what [`Supervisor`] names. What a turn of it calls is never inlined, so that the stack that
//! stays in use while it sleeps is small.
//!
//! Every turn, here and in [`shutdown`], reads its signals first and reaps children after that: a child that ends between the
//! two has its SIGCHLD still to come. The other way round that signal would be read, and its child never reaped.

mod children;
mod readiness;
mod restart;
mod shutdown;
mod start;

use crate::{
    docker::command::Command,
    error::Step,
    kernel::{
        power::Button,
        requests::{EndRequest, end_request},
        signals::{BUTTON, End, Meaning, Signals, meaning, send},
        wait::{NEVER, readable},
    },
    launch::{Context, Ended, Failed, Launch, Outcome},
    settings::{OnExit, Role},
    steps::daemon::{self, Daemon},
    sys,
    text::{Decimal, Text},
};
use children::Status;
use readiness::{Notify, Told};
use restart::{Backoff, UNIT};
use rustix::{
    event::{PollFd, PollFlags},
    fd::AsFd,
    process::{Pid, getpid, set_child_subreaper},
};

/// How long the daemon may take until it is ready, in seconds; then a line says so. It may take longer.
const READY: u64 = 120;

/// So many signals are read in one turn.
const AT_ONCE: usize = 64;

/// How deep the stack is that a launch may have used, and that a turn of the loop may use, in bytes.
const LAUNCH: usize = 256 * 1024;
const TURN: usize = 128 * 1024;

struct Supervisor<'l> {
    launch: &'l Launch<'l>,
    command: &'l Command<'l>,
    prepared: &'l Daemon,
    signals: Signals,
    notify: Option<Notify>,
    /// The daemon, while it runs.
    daemon: Option<Pid>,
    /// The program of DOCKER_LAUNCH_READY, while it runs.
    ready_program: Option<Pid>,
    /// How the last daemon ended.
    last: u8,
    started: u64,
    /// When the next daemon is started, while none runs.
    next: u64,
    /// When the daemon is told to be late.
    late: u64,
    /// This daemon is ready.
    ready: bool,
    /// One was.
    was_ready: bool,
    backoff: Backoff,
}

/// Supervises the daemon, or becomes it where that is asked for.
pub(crate) fn start(
    launch: &Launch<'_>,
    command: &Command<'_>,
    prepared: &Daemon,
) -> Outcome<Ended> {
    if !launch.settings.supervises(launch.role) {
        return daemon::replace(launch, command, prepared).map(|never| match never {});
    }
    supervise(launch, command, prepared)
}

#[inline(never)]
fn supervise(launch: &Launch<'_>, command: &Command<'_>, prepared: &Daemon) -> Outcome<Ended> {
    sys::give_back_stack::<LAUNCH>();
    let mut supervisor = Supervisor::new(launch, command, prepared)?;
    if let Some(asked) = end_request(launch.role) {
        // During the launch: no daemon is started.
        asked.log(launch.log);
        supervisor.shut_down(asked.end);
        let status = asked.status();
        return Ok(Ended { status });
    }
    // A first daemon that cannot be executed is a launch that failed.
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
    ) -> Outcome<Self> {
        if !getpid().is_init() {
            // With the host's PID namespace orphans would go to the host's PID 1.
            set_child_subreaper(Some(getpid())).at(launch, Step::Daemon, c"child subreaper")?;
        }
        let notify = Notify::open();
        if let Err(errno) = &notify {
            launch.warn_of(Step::Daemon, b"NOTIFY_SOCKET", *errno);
        }
        if launch.role == Role::Machine && launch.requests.button.is_none() {
            launch
                .log
                .debug(&[b"no power button: the kernel tells of no ACPI events"]);
        }
        Ok(Self {
            launch,
            command,
            prepared,
            signals: Signals::open().at(launch, Step::Daemon, c"signalfd")?,
            notify: notify.ok(),
            daemon: None,
            ready_program: None,
            last: 0,
            started: 0,
            next: NEVER,
            late: NEVER,
            ready: false,
            was_ready: false,
            backoff: Backoff { failures: 0 },
        })
    }
}

impl Supervisor<'_> {
    /// Until an end is asked for, or follows from the daemon's.
    fn watch(&mut self) -> End {
        loop {
            let retry = self.launch.log.catch_up();
            self.wait(self.next.min(self.late).min(retry));
            let request = self.request();
            self.hear();
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
            if now >= self.next {
                self.restart();
            }
            if now >= self.late {
                self.late = NEVER;
                self.warn_of_daemon(b" is not ready after 120 s; it goes on");
            }
        }
    }

    /// Sleeps until there is something to look at.
    #[inline(never)]
    fn wait(&self, until: u64) {
        let signals = self.signals.as_fd();
        // Where there is no such descriptor, that of the signals stands again.
        let notify = self.notify.as_ref().map_or(signals, AsFd::as_fd);
        let button = self.button().map_or(signals, AsFd::as_fd);
        let mut all = [signals, notify, button]
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        sys::give_back_stack::<TURN>();
        let _ = readable(&mut all, until);
    }

    /// The next request to end; the daemon gets those signals that are its own.
    #[inline(never)]
    fn request(&self) -> Option<EndRequest> {
        if self.button().is_some_and(Button::was_pressed) {
            let (end, signal) = (End::PowerOff, BUTTON);
            return Some(EndRequest { end, signal });
        }
        // Not more in one turn: whoever sends more than that does not hold up the rest.
        for signal in core::iter::from_fn(|| self.signals.next()).take(AT_ONCE) {
            match meaning(signal, self.launch.role) {
                Meaning::End(end) => return Some(EndRequest { end, signal }),
                Meaning::Forward => self.forward(signal),
                Meaning::Nothing => {}
            }
        }
        None
    }

    /// What the daemon has told.
    #[inline(never)]
    fn hear(&mut self) {
        let Some(notify) = &self.notify else { return };
        let (mut ready, log) = (false, self.launch.log);
        notify.hear(self.daemon, &mut |told| match told {
            Told::Ready => ready = true,
            Told::Reloading => self.tell_of_daemon(&[b" reloads its configuration"]),
            Told::Stopping => log.debug(&[self.name(), b" is stopping"]),
        });
        // It says so again when it has reloaded.
        if ready && !self.ready {
            self.is_ready();
        }
    }

    #[inline(never)]
    fn is_ready(&mut self) {
        let log = &self.launch.log;
        let now = Decimal::new(sys::since_boot());
        (self.ready, self.late) = (true, NEVER);
        log.line(&[
            b"docker is ready, ",
            now.as_bytes(),
            b" ms after kernel start",
        ]);
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

    /// Reaps; tells of the daemon and of the program of DOCKER_LAUNCH_READY. Whether children are left.
    #[inline(never)]
    fn reap(&mut self) -> bool {
        children::reap(&mut |pid, status| {
            if self.daemon == Some(pid) {
                self.daemon = None;
                self.has_ended(status);
            }
            if self.ready_program == Some(pid) {
                self.ready_program = None;
                if status.code() != 0 {
                    let path = self.launch.settings.ready.to_bytes();
                    let words = status.words();
                    self.launch.log.warning(&[path, b" ", words.as_bytes()]);
                }
            }
        })
    }

    #[inline(never)]
    fn has_ended(&mut self, status: Status) {
        (self.last, self.ready) = (status.code(), false);
        self.tell_of_daemon(&[b" ", status.words().as_bytes()]);
    }

    /// What follows when the daemon has ended by itself; `None`: another is started.
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
        self.tell_of_daemon(&[b" is started again in ", wait.as_bytes(), b" s"]);
        if self.backoff.failures == restart::LOOP {
            let last = Decimal::new(self.last.into());
            self.launch.log.warning(&[
                b"crash loop: ",
                self.name(),
                b" has ended five times within a minute of its start, at last with status ",
                last.as_bytes(),
                b"; its own lines say why",
            ]);
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

    /// Its name, and what it does.
    #[inline(never)]
    fn tell_of_daemon(&self, what: &[&[u8]]) {
        let mut words: Text<400> = Text::new();
        // The longest name of a file, and a few words.
        let _ = words.push(self.name()).and(words.push_all(what));
        self.launch.log.line(&[words.as_bytes()]);
    }

    /// The same as a warning.
    #[inline(never)]
    fn warn_of_daemon(&self, what: &[u8]) {
        self.launch.log.warning(&[self.name(), what]);
    }

    fn button(&self) -> Option<&Button> {
        self.launch.requests.button.as_ref()
    }

    fn is_container(&self) -> bool {
        self.launch.role == Role::Container
    }
}
