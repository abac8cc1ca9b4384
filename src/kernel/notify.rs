//! Sockets of sd_notify(3): a child reports that it is ready, reloads or stops.
//!
//! They are in a directory that only root can enter: every container on the host network could send to an abstract socket. Only
//! datagrams of the child itself count; the kernel tells the sender's PID.

use crate::{fs::Lookup, sys, text::fields};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, chmod, mkdir, unlink},
    io::{Errno, Result},
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with,
        sockopt::set_socket_passcred,
    },
    process::Pid,
};

const DIRECTORY: &CStr = c"/run/dockerlaunch";

/// The socket of one child.
pub(crate) struct Place {
    pub(crate) path: &'static CStr,
    /// For the child's environment.
    pub(crate) variable: &'static CStr,
}

pub(crate) const DAEMON: Place = Place {
    path: c"/run/dockerlaunch/notify",
    variable: c"NOTIFY_SOCKET=/run/dockerlaunch/notify",
};
pub(crate) const CONTAINERD: Place = Place {
    path: c"/run/dockerlaunch/containerd",
    variable: c"NOTIFY_SOCKET=/run/dockerlaunch/containerd",
};

/// The maximum number of datagrams that one turn reads, so that a flood does not block the rest.
const AT_ONCE: usize = 64;

/// What a child reports.
#[derive(Clone, Copy, PartialEq)]
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
    pub(crate) fn open(place: &Place) -> Result<Self> {
        let private = Mode::from_raw_mode(0o700);
        match mkdir(DIRECTORY, private) {
            Err(Errno::EXIST) => chmod(DIRECTORY, private)?,
            made => made?,
        }
        unlink(place.path).if_exists()?;
        let socket = socket()?;
        set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new(place.path)?)?;
        Ok(Self(socket))
    }

    /// Reads the datagrams that have arrived, and calls `each` with the child's reports.
    pub(crate) fn receive(&self, child: Option<Pid>, each: &mut dyn FnMut(Notification)) {
        let mut buffer = [0; 1024];
        for _ in 0..AT_ONCE {
            let Ok((text, sender)) = sys::receive_from_pid(self.0.as_fd(), &mut buffer) else {
                return;
            };
            if child.is_none_or(|pid| pid.as_raw_nonzero().get() != sender) {
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

/// A socket that sends or receives notifications.
pub(crate) fn socket() -> Result<OwnedFd> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
}
