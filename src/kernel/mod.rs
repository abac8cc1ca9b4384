//! What we ask of the kernel, each in its own format: nothing here knows of a launch or of Docker.

pub(crate) mod children;
pub(crate) mod cmdline;
pub(crate) mod hierarchies;
pub(crate) mod mounted;
pub(crate) mod mountinfo;
#[cfg(any(feature = "iptables", feature = "network", feature = "supervise"))]
pub(crate) mod netlink;
#[cfg(feature = "supervise")]
pub(crate) mod power;
pub(crate) mod requests;
#[cfg(feature = "supervise")]
pub(crate) mod signals;
pub(crate) mod wait;
