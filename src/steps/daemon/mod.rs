//! The daemon: what is prepared once for all starts (the listening socket), what is done before each start (stale pid files),
//! and exec with its arguments, environment and descriptors.

mod pid_files;

pub(crate) use pid_files::remove_stale_files;

use crate::{
    docker::{command::Command, config::Config},
    error::Step,
    fs::{self, Lookup},
    launch::{Context, Launch, Outcome},
    steps::{
        environment::{self, Composed},
        var_run::socket,
    },
    sys,
    text::{Decimal, fields, number},
};
use core::{convert::Infallible, ffi::CStr};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, FileType, Mode, chmod, chown, unlink},
    io::{self, Errno},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
    process::{Gid, Uid, getpid},
};

/// As many waiting clients as the kernel allows.
const BACKLOG: i32 = 4096;
/// The first descriptor that is passed (sd_listen_fds(3)).
const FIRST_PASSED: u32 = 3;

/// Shared by all starts of the daemon.
pub(crate) struct Daemon {
    /// The socket of `-H fd://`. This process keeps it: clients that connect while no daemon runs wait for the next one.
    listener: Option<OwnedFd>,
    /// How many descriptors this process itself got, from the third on; they are passed on to the daemon.
    inherited: u32,
}

/// Prepares what all starts share.
pub(crate) fn prepare(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
) -> Outcome<Daemon> {
    let inherited = inherited(command);
    let asks = inherited == 0 && config.inherits_listener;
    let listener = if asks { Some(listener(launch)?) } else { None };
    Ok(Daemon {
        listener,
        inherited,
    })
}

/// Replaces this process with the daemon.
#[inline(never)] // its stack frame must not stay in a caller that supervises
pub(crate) fn replace(
    launch: &Launch<'_>,
    command: &Command<'_>,
    daemon: &Daemon,
) -> Outcome<Infallible> {
    remove_stale_files(launch, command)?;
    launch.requests.hand_over();
    Err(exec(launch, command, daemon, None, None)).at(launch, Step::Exec, command.path().as_c_str())
}

/// Executes the daemon; returns only on failure. `notify` tells the daemon where to send that it is ready, and `flag` which
/// containerd to use.
pub(crate) fn exec(
    launch: &Launch<'_>,
    command: &Command<'_>,
    daemon: &Daemon,
    notify: Option<&'static CStr>,
    flag: Option<&CStr>,
) -> Errno {
    let path = command.path();
    launch.log.debug("exec {}", &[path.as_bytes()]);
    let executed = || {
        let mut texts = Composed::new();
        if let Some(listener) = &daemon.listener {
            sys::pass_as(listener.as_fd(), FIRST_PASSED)?;
        }
        let passed = daemon.inherited + u32::from(daemon.listener.is_some());
        let handed = (passed, daemon.inherited > 0);
        let environment = environment::compose(&mut texts, launch.role, command, handed, notify)?;
        let arguments = command.array_of_arguments(flag)?;
        sys::close_on_exec_from(FIRST_PASSED.saturating_add(passed));
        // The point of no return.
        Err::<Infallible, _>(sys::execve(path.as_c_str(), &arguments, &environment))
    };
    let Err(errno) = executed();
    errno
}

/// Binds the daemon's socket, so that clients can connect from now on and wait.
fn listener(launch: &Launch<'_>) -> Outcome<OwnedFd> {
    let path = socket();
    match listen_at(path, docker_group(launch)) {
        Err(Errno::NOTSOCK) => {
            let reason = "something that is not a socket is there; remove it";
            Err(launch.failed(Step::Daemon, path.to_bytes(), reason))
        }
        listener => listener.at(launch, Step::Daemon, path),
    }
}

/// `NOTSOCK`: something else is there.
fn listen_at(path: &CStr, group: Gid) -> io::Result<OwnedFd> {
    if let Some(there) = fs::lstat(CWD, path)? {
        if FileType::from_raw_mode(there.st_mode) != FileType::Socket {
            return Err(Errno::NOTSOCK);
        }
        unlink(path)?;
    }
    let (unix, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let socket = socket_with(unix, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    chown(path, Some(Uid::ROOT), Some(group))?;
    chmod(path, Mode::from_raw_mode(0o660))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The group docker of /etc/group, else root's.
fn docker_group(launch: &Launch<'_>) -> Gid {
    const FILE: &CStr = c"/etc/group";
    let mut group = Gid::ROOT;
    let outcome = fs::lines(FILE, &mut |line| {
        group = id_of_group(line, b"docker").map_or(group, Gid::from_raw);
    });
    outcome.if_exists_or_warn(launch.log, Step::Daemon, FILE);
    group
}

/// The number in a line `name:password:number:members` (group(5)), if it is that group's.
fn id_of_group(line: &[u8], group: &[u8]) -> Option<u32> {
    let mut fields = fields(line, b':');
    let name = fields.next()?;
    let id = u32::try_from(number(fields.nth(1)?)?).ok()?;
    // -1 is not a valid group ID.
    (name == group && id != u32::MAX).then_some(id)
}

/// How many descriptors were passed to this process (sd_listen_fds(3)).
fn inherited(command: &Command<'_>) -> u32 {
    let is_own = |pid: &[u8]| {
        let own = Decimal::new(getpid().as_raw_nonzero().get().unsigned_abs().into());
        pid == own.as_bytes()
    };
    let count = command
        .variable(b"LISTEN_FDS")
        .filter(|_| command.variable(b"LISTEN_PID").is_some_and(is_own))
        .and_then(number)
        .unwrap_or(0);
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, vec::Vec};

    #[test]
    fn reads_only_the_line_of_the_group() {
        assert_eq!(id_of_group(b"docker:x:999:a,b", b"docker"), Some(999));
        assert_eq!(id_of_group(b"dockers:x:999:", b"docker"), None);
        assert_eq!(id_of_group(b"docker:x", b"docker"), None);
        assert_eq!(id_of_group(b"docker:x:4294967295:", b"docker"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_parsed(line: Vec<u8>) {
            let _ = id_of_group(&line, b"docker");
        }

        #[test]
        fn any_number_is_read(id in 0..u32::MAX) {
            prop_assert_eq!(id_of_group(format!("docker:x:{id}:").as_bytes(), b"docker"), Some(id));
        }
    }
}
