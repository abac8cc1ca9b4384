//! The machine's address, from the kernel's own words or from a DHCP server, its hostname and its clock; and modules and sysctls that
//! the image or the kernel command line names.

use super::super::builder::{Change, Scenario, WITH_MODULES, small};
use crate::checks::expect::{
    Content::{Has, Is, MachineId},
    Expect::{self, *},
};

const CARD: &str = "DOCKER_LAUNCH_MODULES=virtio_net";

const ADDRESS: &[Expect] = &[
    LinkUp("eth0"),
    Address("eth0 10.0.2.15/24"),
    Route("0.0.0.0/0 via 10.0.2.2 dev eth0"),
];
const WORDS: &[Expect] = &[
    Address("eth0 192.168.77.5/16"),
    Address("lo 192.0.2.1/32"),
    Hostname("from-the-line"),
    File(
        "/etc/resolv.conf",
        "644",
        Is("nameserver 10.0.2.3\nnameserver 10.0.2.4\n"),
    ),
    SaysOnly(&[]),
];
const LEASE: &[Expect] = &[
    File("/etc/resolv.conf", "644", Has("nameserver 10.0.2.3\n")),
    Process("others", "dockerlaunch udhcpc"),
    SaysOnly(&[]),
];

/// QEMU's first card is 52:54:00:12:34:56.
const FROM_CARD: &[Expect] = &[
    Hostname("docker-123456"),
    File("/etc/machine-id", "444", MachineId),
];
const ONCE: &[Expect] = &[Hostname("docker-123456"), Kept("/etc/machine-id")];

const FILES: &[Change] = &[
    Change::File("etc/modules", 0o644, "# one a line\ndummy numdummies=2\n"),
    Change::File(
        "usr/lib/modules-load.d/a.conf",
        0o644,
        "; a comment\nmacvlan\n",
    ),
    Change::File("usr/lib/modules-load.d/hidden.conf", 0o644, "vxlan\n"),
    Change::File("etc/modules-load.d/hidden.conf", 0o644, "ipvlan\n"),
];
const LOADED: &[Expect] = &[
    Module("dummy"),
    Module("macvlan"),
    Module("ipvlan"),
    NoModule("vxlan"),
    SaysOnly(&[]),
];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "appliance-ip-words",
        "several ip= words, one of them with CIDR; the environment would hold only the last",
        &[ADDRESS, WORDS],
    )
    .groups(WITH_MODULES)
    .append(&[
        CARD,
        "ip=10.0.2.15::10.0.2.2:255.255.255.0:from-the-line:eth0:off:10.0.2.3:10.0.2.4",
        "ip=192.168.77.5:::255.255.0.0::eth0:off",
        "ip=192.0.2.1/32:::::lo",
    ]),
    small(
        "appliance-dhcp",
        "an address from a DHCP server, by busybox's udhcpc, which starts dockerlaunch as its script",
        &[ADDRESS, LEASE],
    )
    .groups(WITH_MODULES)
    .append(&[CARD, "ip=dhcp"]),
    small(
        "appliance-names",
        "without a hostname the machine is named after its network card, and its machine id lasts",
        &[FROM_CARD],
    )
    .groups(WITH_MODULES)
    .append(&[CARD])
    .lived(&[])
    .again(&[ONCE]),
    small(
        "appliance-clock",
        "a clock without a battery would make every certificate invalid",
        &[&[ClockSet]],
    )
    .clock("2000-01-01"),
    small(
        "appliance-modules",
        "the modules that files of the image name",
        &[LOADED],
    )
    .groups(WITH_MODULES)
    .image(FILES),
    small(
        "appliance-sysctl",
        "the kernel's own sysctl.* words",
        &[&[
            Kernel("/proc/sys/vm/swappiness", "11"),
            Kernel("/proc/sys/net/ipv4/ip_forward", "0"),
        ]],
    )
    .append(&["sysctl.vm.swappiness=11"]),
];
