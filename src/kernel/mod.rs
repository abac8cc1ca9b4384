//! The kernel's interfaces, a file for each. Nothing here depends on a launch or on Docker.

pub(crate) mod children;
pub(crate) mod cmdline;
pub(crate) mod hierarchies;
pub(crate) mod mounted;
pub(crate) mod mountinfo;
#[cfg(any(feature = "iptables", feature = "network", feature = "supervise"))]
pub(crate) mod netlink;
#[cfg(feature = "supervise")]
pub(crate) mod notify;
#[cfg(feature = "supervise")]
pub(crate) mod power;
pub(crate) mod requests;
#[cfg(feature = "supervise")]
pub(crate) mod signals;
pub(crate) mod wait;
