//! Modules, and a static address by settings, on the device that QEMU's user network stands behind.

use super::builder::{Change, Scenario, WITH_MODULES, small};
use crate::checks::expect::{
    Content::{Has, Is},
    Expect::{self, *},
};

/// What Docker's rules need is loaded before the daemon starts, on every boot.
const MODULES: &[Expect] = &[
    Module("overlay"),
    Module("bridge"),
    Module("br_netfilter"),
    Module("veth"),
    Module("nf_nat"),
    SaysOnly(&[]),
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
        "what Docker needs of the kernel is loaded by one modprobe",
        &[MODULES],
    )
    .groups(WITH_MODULES),
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
        "a short address, with the name and the name servers by settings of their own",
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
        "the image's resolv.conf stands where no setting asks",
        &[KEPT],
    )
    .image(&[Change::File(
        "etc/resolv.conf",
        0o644,
        "nameserver 9.9.9.9\n",
    )]),
];
