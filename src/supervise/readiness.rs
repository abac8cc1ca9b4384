//! NOTIFY_SOCKET (sd_notify(3)): the daemon tells when it is ready, reloads or stops.
//!
//! The socket lies in a directory of root's own: one without a path could be written to from every container that shares the
//! network. Of what arrives, only the daemon's own datagrams count; the kernel names the sender.

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

/// So many datagrams are read in one turn: whoever sends more than that does not hold up the rest.
const AT_ONCE: usize = 64;

/// What the daemon has told.
#[derive(Clone, Copy)]
pub(crate) enum Told {
    Ready,
    Reloading,
    Stopping,
}

const TOLD: &[(&str, Told)] = &[
    ("READY=1", Told::Ready),
    ("RELOADING=1", Told::Reloading),
    ("STOPPING=1", Told::Stopping),
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

    /// Takes what has arrived, and calls `each` with what the daemon has told.
    pub(crate) fn hear(&self, daemon: Option<Pid>, each: &mut dyn FnMut(Told)) {
        let mut buffer = [0; 1024];
        for _ in 0..AT_ONCE {
            let Ok((text, sender)) = sys::receive_from_pid(self.0.as_fd(), &mut buffer) else {
                return;
            };
            if daemon.is_none_or(|pid| pid.as_raw_nonzero().get() != sender) {
                continue;
            }
            for line in fields(text, b'\n') {
                let known = TOLD.iter().find(|(known, _)| known.as_bytes() == line);
                if let Some((_, told)) = known {
                    each(*told);
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

/// READY=1 for whoever supervises this process itself, by a path or, behind an `@`, a name without one.
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
