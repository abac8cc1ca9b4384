//! netlink(7): sends requests to the kernel and receives answers. This file builds messages; messages.rs parses them.

pub(crate) mod messages;

use heapless::Vec;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Result, retry_on_intr, write},
    net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with},
};

#[cfg(any(test, feature = "iptables", feature = "network"))]
use {
    crate::kernel::netlink::messages::{messages, word},
    rustix::io::Errno,
};

#[cfg(any(test, feature = "iptables", feature = "network"))]
const ERROR: u16 = 2;
pub(crate) const REQUEST: u16 = 0x1;

/// NETLINK_ROUTE, the protocol of network configuration, is 0.
#[cfg(any(test, feature = "network"))]
pub(crate) const ROUTE: Option<Protocol> = None;

/// A netlink socket of one protocol.
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self(socket))
    }

    pub(crate) fn send(&self, message: &mut Message) -> Result<()> {
        let bytes = message.finish();
        retry_on_intr(|| write(&self.0, bytes)).map(drop)
    }

    /// Sends a request and returns its errno. An acknowledgement or another answer is there when the write returns.
    #[cfg(any(test, feature = "iptables", feature = "network"))]
    pub(crate) fn request(&self, message: &mut Message) -> Result<()> {
        self.send(message)?;
        let mut buffer = [0; 1024];
        let answer = messages(receive(self.as_fd(), &mut buffer)?).next();
        let (kind, body) = answer.ok_or(Errno::PROTO)?;
        match word(body, 0).map(u32::cast_signed) {
            _ if kind != ERROR => Ok(()),
            Some(0) => Ok(()),
            // rustix accepts only this range.
            Some(errno @ -4095..0) => Err(Errno::from_raw_os_error(-errno)),
            _ => Err(Errno::PROTO),
        }
    }
}

/// Receives a datagram that has arrived already; does not wait.
pub(crate) fn receive<'b>(socket: BorrowedFd<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let (length, _) = retry_on_intr(|| recv(socket, &mut *buffer, RecvFlags::DONTWAIT))?;
    Ok(buffer.get(..length).unwrap_or_default())
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A request of up to 96 bytes; those built here are shorter.
pub(crate) struct Message(Vec<u8, 96>);

impl Message {
    pub(crate) fn new(kind: u16, flags: u16) -> Self {
        let mut message = Self(Vec::new());
        message.put(&[0; 4]);
        message.put(&kind.to_ne_bytes());
        message.put(&flags.to_ne_bytes());
        message.put(&[0; 8]);
        message
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let _ = self.0.extend_from_slice(bytes);
    }

    /// Appends an attribute, padded to four bytes; its length does not count the padding.
    #[cfg(any(test, feature = "network", feature = "supervise"))]
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = value.len() + 4;
        self.put(&(length as u16).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        let padding = length.next_multiple_of(4) - length;
        self.put([0; 3].get(..padding).unwrap_or_default());
    }

    /// Writes the length into the first four bytes.
    fn finish(&mut self) -> &[u8] {
        let length = (self.0.len() as u32).to_ne_bytes();
        if let Some(first) = self.0.first_chunk_mut() {
            *first = length;
        }
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::messages::attributes;

    #[test]
    fn attributes_are_padded_and_parsed_back() {
        let mut message = Message::new(16, 0);
        message.attribute(3, b"seven7\0");
        message.attribute(4, &1400_u32.to_ne_bytes());
        let bytes = message.finish();
        let (kind, body) = messages(bytes).next().unwrap();
        assert_eq!((kind, bytes.len() % 4), (16, 0));
        let read = attributes(body);
        assert!(read.eq([(3, &b"seven7\0"[..]), (4, &1400_u32.to_ne_bytes())]));
    }

    #[test]
    fn a_request_returns_its_errno() {
        let socket = Netlink::open(ROUTE).unwrap();
        // RTM_GETLINK of an interface that does not exist.
        let mut message = Message::new(18, REQUEST);
        message.put(&[0; 4]);
        message.put(&i32::MAX.to_ne_bytes());
        message.put(&[0; 8]);
        assert_eq!(socket.request(&mut message), Err(Errno::NODEV));
        // RTM_GETNSID of this process has an answer without an acknowledgement.
        let mut message = Message::new(90, REQUEST);
        message.put(&[0; 4]);
        message.attribute(2, &std::process::id().to_ne_bytes());
        assert_eq!(socket.request(&mut message), Ok(()));
    }
}
