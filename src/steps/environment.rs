//! The environment of the daemon, and the start of the programs beside it that share it: containerd, and the program of
//! DOCKER_LAUNCH_READY.

use crate::{
    docker::command::{Command, DEFAULT_PATH},
    fs::PATH,
    settings::Role,
    sys::ExecArray,
    text::{Decimal, Text, TooLong, split_once},
};
#[cfg(feature = "supervise")]
use crate::{error::Step, kernel::children, launch::Launch, sys};
#[cfg(feature = "supervise")]
use core::convert::Infallible;
use core::ffi::CStr;
#[cfg(feature = "supervise")]
use rustix::process::Pid;
use rustix::{
    io::{self, Errno},
    process::getpid,
};

/// Variables that are composed here: they must live as long as the environment.
pub(crate) struct Composed {
    listen_pid: Text<32>,
    /// A changed PATH; empty if PATH is passed on unchanged.
    path: Text<PATH>,
}

impl Composed {
    pub(crate) const fn new() -> Self {
        Self {
            listen_pid: Text::new(),
            path: Text::new(),
        }
    }
}

/// The given variables, PATH and HOME, and the LISTEN_* variables. LISTEN_PID is the caller's PID.
///
/// `passed` is the number of descriptors. If they were inherited, LISTEN_FDS and LISTEN_FDNAMES stay as they are. `notify`
/// is the new NOTIFY_SOCKET: empty removes it, `None` keeps the given one.
pub(crate) fn compose<'c>(
    texts: &'c mut Composed,
    role: Role,
    command: &'c Command<'_>,
    (passed, inherited): (u32, bool),
    notify: Option<&'static CStr>,
) -> io::Result<ExecArray<'c>> {
    let given = command.environment();
    let own_path = !command.first_directory.is_empty();
    let (mut has_path, mut has_home) = (false, false);
    let mut variables = ExecArray::with_room(given.clone().count() + 5)?;
    for variable in given {
        let (name, _) = split_once(variable.to_bytes(), b'=');
        let is = |known: &str| name == known.as_bytes();
        let (is_path, is_home) = (is("PATH"), is("HOME"));
        let goes = is_path && own_path
            // The kernel sets this HOME for init; root's home is meant.
            || role == Role::Machine && variable == c"HOME=/"
            || is("LISTEN_PID")
            || !inherited && (is("LISTEN_FDS") || is("LISTEN_FDNAMES"))
            || notify.is_some() && is("NOTIFY_SOCKET");
        if !goes {
            has_path |= is_path;
            has_home |= is_home;
            variables.push(variable);
        }
    }
    if own_path {
        let (first, path) = (command.first_directory.as_bytes(), command.path_variable());
        let whole = texts.path.set(&[b"PATH=", first, b":", path]);
        whole.map_err(|TooLong| Errno::NAMETOOLONG)?;
        variables.push(texts.path.as_c_str());
    } else if !has_path {
        variables.push(DEFAULT_PATH);
    }
    if !has_home {
        variables.push(c"HOME=/root");
    }
    if passed > 0 {
        let own_pid = Decimal::new(getpid().as_raw_nonzero().get().unsigned_abs().into());
        let _ = texts.listen_pid.set(&[b"LISTEN_PID=", own_pid.as_bytes()]);
        variables.push(texts.listen_pid.as_c_str());
        if !inherited {
            variables.push(c"LISTEN_FDS=1");
        }
    }
    if let Some(notify) = notify.filter(|notify| !notify.is_empty()) {
        variables.push(notify);
    }
    Ok(variables)
}

/// Starts a program beside the daemon: with the daemon's environment, in its own session, and with descriptors 0 to 2 only.
/// `notify` is as for [`compose`].
///
/// # Errors
/// Those of fork(2) and execve(2).
#[cfg(feature = "supervise")]
pub(crate) fn start(
    launch: &Launch<'_>,
    command: &Command<'_>,
    path: &CStr,
    arguments: &[&CStr],
    notify: &'static CStr,
) -> io::Result<Pid> {
    let mut exec = || {
        let executed = || {
            let mut texts = Composed::new();
            let variables = compose(&mut texts, launch.role, command, (0, false), Some(notify))?;
            let arguments = ExecArray::of(arguments)?;
            sys::close_on_exec_from(3);
            Err::<Infallible, _>(sys::execve(path, &arguments, &variables))
        };
        let Err(errno) = executed();
        errno
    };
    let late = |errno| launch.warn_of(Step::Exec, path.to_bytes(), errno);
    children::execute(&launch.requests, &mut exec, &late)
}
