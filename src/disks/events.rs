//! Waits for disks: the kernel reports every new device in a uevent (Documentation/ABI/testing/sysfs-uevent).

use crate::{launch::Launch, text::fields};
use rustix::{
    fd::{AsFd, OwnedFd},
    io::{Errno, Result},
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with},
};

/// The multicast group of the kernel's events; udev's is another.
const KERNEL: u32 = 1;

pub(super) struct Events(OwnedFd);

impl Events {
    /// From here on no event is missed.
    pub(super) fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let protocol = Some(netlink::KOBJECT_UEVENT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// Waits until the kernel reports a block device, or events were lost.
    pub(super) fn wait(&self, launch: &Launch<'_>, deadline: u64) -> Result<()> {
        let mut event = [0; 4096];
        loop {
            launch.requests.wait(self.0.as_fd(), deadline)?;
            match recv(&self.0, &mut event[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let event = event.get(..length).unwrap_or_default();
                    if fields(event, 0).any(|field| field == b"SUBSYSTEM=block") {
                        return Ok(());
                    }
                }
                // The socket's buffer has overflowed.
                Err(Errno::NOBUFS) => return Ok(()),
                Err(_) => {}
            }
        }
    }
}
