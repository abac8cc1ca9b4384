//! The other end of a daemon's cable, in a separate network namespace: an IPv6 router, or a DHCP server.

use crate::{
    network::inside,
    rtnetlink::{attribute, request},
    running::Running,
};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns, unshare},
};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrV6, SocketType, ipproto, sendto, socket, sockopt,
};
use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    thread,
};

/// A flag of interfaces (netdevice(7)).
const IFF_UP: u32 = 1;

/// It has the veth `veth0`, whose other end is the daemon's `eth0`.
pub(crate) struct Router {
    namespace: File,
}

impl Router {
    /// Takes `veth0`, the other end of the veth `eth0`, out of the daemon's namespace.
    pub(crate) fn new(daemon: &Running<'_>) -> Self {
        const NEW_LINK: u16 = 16;
        const IFLA_NET_NS_FD: u16 = 28;
        let change = |flags: u32, attribute: &[u8]| {
            let index = if_nametoindex("veth0").unwrap().to_ne_bytes();
            let flags = flags.to_ne_bytes();
            request(
                NEW_LINK,
                &[&[0; 4], &index[..], &flags, &flags, attribute].concat(),
            );
        };
        let (there, namespace) = std::sync::mpsc::channel();
        let (moved, is_moved) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                there
                    .send(File::open("/proc/thread-self/ns/net").unwrap())
                    .unwrap();
                is_moved.recv().unwrap();
                // It may send immediately, without duplicate address detection.
                fs::write("/proc/sys/net/ipv6/conf/veth0/accept_dad", "0").unwrap();
                change(IFF_UP, &[]);
            });
            let namespace = namespace.recv().unwrap();
            let descriptor = namespace.as_raw_fd().to_ne_bytes();
            inside(daemon, || {
                change(0, &attribute(IFLA_NET_NS_FD, &descriptor))
            });
            moved.send(()).unwrap();
            Self { namespace }
        })
    }

    /// Advertises itself as a router, for half an hour (RFC 4861, 4.2: type 134, hop limit 64).
    pub(crate) fn advertise(&self) {
        self.inside(|| {
            let index = if_nametoindex("veth0").unwrap();
            let (kind, protocol) = (SocketType::RAW, Some(ipproto::ICMPV6));
            let socket = socket(AddressFamily::INET6, kind, protocol).unwrap();
            sockopt::set_ipv6_multicast_hops(&socket, 255).unwrap();
            let everybody = SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, index);
            let message = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
            // This fails until it has its own address.
            let _ = sendto(&socket, &message, SendFlags::empty(), &everybody);
        });
    }

    /// Runs this in its namespace: only a thread of its own may enter it.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(&self.namespace, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            worker.join().unwrap()
        })
    }
}
