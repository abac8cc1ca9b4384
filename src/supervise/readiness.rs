//! NOTIFY_SOCKET (sd_notify(3)): the daemon reports that it is ready, reloads or stops.
//!
//! The socket is in a directory that only root can enter: every container on the host network could send to an abstract
//! socket. Only datagrams of the daemon itself count; the kernel tells the sender's PID.

use crate::{
    docker::command::Command,
    fs::{self, Lookup},
    sys,
    text::fields,
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, chmod, mkdir, unlink},
    io::{Errno, Result},
    net::{
        AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, sendto,
        socket_with, sockopt::set_socket_passcred,
    },
    process::Pid,
};

const DIRECTORY: &CStr = c"/run/dockerlaunch";
const SOCKET: &CStr = c"/run/dockerlaunch/notify";
/// For the daemon's environment.
pub(crate) const VARIABLE: &CStr = c"NOTIFY_SOCKET=/run/dockerlaunch/notify";

/// The maximum number of datagrams that one turn reads, so that a flood does not block the rest.
const AT_ONCE: usize = 64;

/// What the daemon reports.
#[derive(Clone, Copy)]
pub(crate) enum Notification {
    Ready,
    Reloading,
    Stopping,
}

const NOTIFICATIONS: &[(&str, Notification)] = &[
    ("READY=1", Notification::Ready),
    ("RELOADING=1", Notification::Reloading),
    ("STOPPING=1", Notification::Stopping),
];

pub(crate) struct Notify(OwnedFd);

impl Notify {
    pub(crate) fn open() -> Result<Self> {
        let private = Mode::from_raw_mode(0o700);
        match mkdir(DIRECTORY, private) {
            Err(Errno::EXIST) => chmod(DIRECTORY, private)?,
            made => made?,
        }
        unlink(SOCKET).if_exists()?;
        let socket = socket()?;
        set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new(SOCKET)?)?;
        Ok(Self(socket))
    }

    /// Reads the datagrams that have arrived, and calls `each` with the daemon's reports.
    pub(crate) fn receive(&self, daemon: Option<Pid>, each: &mut dyn FnMut(Notification)) {
        let mut buffer = [0; 1024];
        for _ in 0..AT_ONCE {
            let Ok((text, sender)) = sys::receive_from_pid(self.0.as_fd(), &mut buffer) else {
                return;
            };
            if daemon.is_none_or(|pid| pid.as_raw_nonzero().get() != sender) {
                continue;
            }
            for line in fields(text, b'\n') {
                let known = NOTIFICATIONS
                    .iter()
                    .find(|(known, _)| known.as_bytes() == line);
                if let Some((_, notification)) = known {
                    each(*notification);
                }
            }
        }
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends READY=1 to the supervisor of this process, at a path or, with a leading `@`, an abstract socket.
pub(crate) fn pass_on(command: &Command<'_>) -> Result<()> {
    let address = match command.variable(b"NOTIFY_SOCKET") {
        None | Some(b"") => return Ok(()),
        Some([b'@', name @ ..]) => SocketAddrUnix::new_abstract_name(name)?,
        Some(path) => SocketAddrUnix::new(fs::path(&[path]).as_c_str())?,
    };
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendto(socket()?, b"READY=1", flags, &address).map(drop)
}

fn socket() -> Result<OwnedFd> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
}
