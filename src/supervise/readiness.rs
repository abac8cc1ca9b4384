//! Passes the engine's readiness on to the supervisor of this process, if it has one.

use crate::{docker::command::Command, fs, kernel::notify::socket};
use rustix::{
    io::Result,
    net::{SendFlags, SocketAddrUnix, sendto},
};

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
