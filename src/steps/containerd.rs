//! Starts containerd beside the launch, on the machine, if PID 1 supervises. dockerd would start the same containerd itself, but
//! only after its own start, and then wait out a backoff of a second until it answers; and if it did not answer within 15 s,
//! dockerd would end (moby#40292).
//!
//! It is started once the data root is mounted, because its files are there. The supervisor waits for its readiness, restarts it,
//! and ends it after the daemon. If it cannot be started, dockerd starts its own.

use crate::{
    docker::{
        command::Command,
        config::Config,
        containerd::{self, Argument},
    },
    error::reason,
    fs,
    kernel::{
        children,
        notify::{CONTAINERD, Notify},
    },
    launch::Launch,
    settings::{ContainerdBy, Role},
    steps::environment,
    text::TooLong,
};
use core::{cell::Cell, ffi::CStr};
use rustix::{
    fd::AsFd,
    io::{Errno, Result},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    process::Pid,
};

const NAME: &CStr = c"containerd";
/// How long it may take to end, in milliseconds.
pub(crate) const REST: u64 = 5000;

/// The containerd that this process has started. If it is dropped while containerd runs, because the launch has failed, it ends
/// containerd: its files must be closed before the data root is unmounted.
pub(crate) struct Containerd {
    /// While it runs.
    pub(crate) pid: Cell<Option<Pid>>,
    pub(crate) notify: Notify,
    /// For the daemon: `--containerd=SOCKET`.
    pub(crate) flag: Argument,
    /// The path of its configuration.
    file: Argument,
}

/// Starts it, unless dockerd must start its own or use another one.
#[inline(never)] // its stack frame must not stay in a caller that supervises
pub(crate) fn start(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
) -> Option<Containerd> {
    if launch.role != Role::Machine
        || !launch.settings.supervises(launch.role)
        || command.name() != b"dockerd"
    {
        return None;
    }
    if let Some(why) = obstacle(launch, config) {
        launch
            .log
            .debug("containerd is left to dockerd: {}", &[why.as_bytes()]);
        return None;
    }
    if command
        .look_up(NAME)
        .is_err_and(|error| error.errno() == Errno::NOENT)
    {
        return None; // the step `prerequisites` reports it
    }
    let started = prepare(config).and_then(|containerd| {
        containerd.execute(launch, command)?;
        Ok(containerd)
    });
    match started {
        Ok(containerd) => Some(containerd),
        Err(errno) => {
            let why = reason(errno).as_bytes();
            launch.log.warning(
                "containerd cannot be started: {}; dockerd starts its own",
                &[why],
            );
            None
        }
    }
}

fn obstacle(launch: &Launch<'_>, config: &Config) -> Option<&'static str> {
    if launch.settings.containerd == ContainerdBy::Daemon {
        return Some("DOCKER_LAUNCH_CONTAINERD=daemon");
    }
    if let Some(why) = containerd::obstacle(config) {
        return Some(why);
    }
    let own = containerd::socket(config).ok()?;
    let is_served = [own.as_c_str(), containerd::OF_SYSTEM]
        .into_iter()
        .any(|path| is_served(path) == Ok(true));
    is_served.then_some("another one serves its socket")
}

/// Whether a process accepts connections at this path.
fn is_served(path: &CStr) -> Result<bool> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        // Many clients wait there.
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(_) => Ok(false),
    }
}

/// Makes its directories with dockerd's modes, its configuration, and the socket for its readiness.
fn prepare(config: &Config) -> Result<Containerd> {
    let root = fs::Root::open(c"/")?;
    root.make_directories(config.data_root.as_bytes(), 0o710)?;
    let folder = fs::path(&[config.exec_root.as_bytes(), b"/containerd"]);
    root.make_directories(folder.as_bytes(), 0o700)?;
    let toml = containerd::toml(config).map_err(|TooLong| Errno::NAMETOOLONG)?;
    let folder = fs::directory(folder.as_c_str())?;
    fs::replace(folder.as_fd(), containerd::FILE, toml.as_bytes())?;
    let socket = containerd::socket(config).map_err(|TooLong| Errno::NAMETOOLONG)?;
    Ok(Containerd {
        pid: Cell::new(None),
        notify: Notify::open(&CONTAINERD)?,
        flag: Argument::fitting(&[b"--containerd=", socket.as_bytes()]),
        file: containerd::file(config),
    })
}

impl Containerd {
    /// Starts the program, the first time or again.
    pub(crate) fn execute(&self, launch: &Launch<'_>, command: &Command<'_>) -> Result<()> {
        let path = command.look_up(NAME).map_err(|error| error.errno())?;
        let arguments = [NAME, c"--config", self.file.as_c_str()];
        let notify = CONTAINERD.variable;
        let child = environment::start(launch, command, path.as_c_str(), &arguments, notify)?;
        launch.log.debug("containerd is started", &[]);
        self.pid.set(Some(child));
        Ok(())
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.get() {
            children::end(pid, REST);
        }
    }
}
