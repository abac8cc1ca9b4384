//! Modules, and a static address by settings, on QEMU's user network.

use super::builder::{Change, Scenario, WITH_MODULES, small};
use crate::checks::expect::{
    Content::{Has, Is},
    Expect::{self, *},
};

/// The modules for Docker's packet rules are loaded before the daemon starts, at every boot.
const MODULES: &[Expect] = &[
    Module("overlay"),
    Module("bridge"),
    Module("br_netfilter"),
    Module("veth"),
    Module("nf_nat"),
    SaysOnly(&[]),
];

const TAINTED: &str = "/proc/sys/kernel/tainted";
/// Every module that was loaded has a valid signature, and is a part of Debian's kernel.
const NOT_TAINTED: &[Expect] = &[Kernel(TAINTED, "0")];
/// The kernel's flag E.
const BY_UNSIGNED: &[Expect] = &[
    Kernel(TAINTED, "8192"),
    Says("taints", &["module verification failed", "tainting kernel"]),
];

const ADDRESS: &[Expect] = &[
    LinkUp("eth0"),
    Address("eth0 10.0.2.15/24"),
    Route("10.0.2.0/24 via 0.0.0.0 dev eth0"),
];

const IN_FULL: &[Expect] = &[
    Module("virtio_net"),
    LinkUp("lo"),
    Route("0.0.0.0/0 via 10.0.2.2 dev eth0"),
    Hostname("guest"),
    File("/etc/resolv.conf", "644", Has("nameserver 10.0.2.3\n")),
];

const BY_SETTINGS: &[Expect] = &[
    Hostname("called"),
    File(
        "/etc/resolv.conf",
        "644",
        Is("nameserver 10.0.2.3\nnameserver 1.1.1.1\n"),
    ),
];

const KEPT: &[Expect] = &[File("/etc/resolv.conf", "644", Is("nameserver 9.9.9.9\n"))];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "modules",
        "one modprobe loads the modules that Docker needs",
        &[MODULES, NOT_TAINTED],
    )
    .groups(WITH_MODULES),
    small(
        "modules-unsigned",
        "modules whose signatures were stripped load, and taint the kernel",
        &[MODULES, BY_UNSIGNED],
    )
    .groups(WITH_MODULES)
    .unsigned_modules(true),
    small(
        "address",
        "the kernel's own ip= syntax: address, gateway, mask, hostname, device, name server",
        &[ADDRESS, IN_FULL],
    )
    .groups(WITH_MODULES)
    .append(&[
        "DOCKER_LAUNCH_MODULES=virtio_net",
        "DOCKER_LAUNCH_IP=10.0.2.15::10.0.2.2:255.255.255.0:guest:eth0:off:10.0.2.3",
    ]),
    small(
        "address-cidr",
        "an address with CIDR, with the hostname and the name servers in other settings",
        &[ADDRESS, BY_SETTINGS],
    )
    .groups(WITH_MODULES)
    .append(&[
        "DOCKER_LAUNCH_MODULES=virtio_net",
        "DOCKER_LAUNCH_IP=10.0.2.15/24",
        "DOCKER_LAUNCH_DNS=10.0.2.3,1.1.1.1",
        "DOCKER_LAUNCH_HOSTNAME=called",
    ]),
    small(
        "resolv-conf-kept",
        "the image's resolv.conf is kept if no setting names a server",
        &[KEPT],
    )
    .image(&[Change::File(
        "etc/resolv.conf",
        0o644,
        "nameserver 9.9.9.9\n",
    )]),
];
