//! IPv6: static addresses, and routes that a router advertises, which must survive the forwarding that dockerd enables.

use crate::{
    kernel_ip::warnings_of,
    network::{RESOLV_CONF, bridge, host_name, inside, interface, with_one_card},
    root::Root,
    router::Router,
    running::Running,
    util::{Before, Needs, tests},
};
use std::{fs, net::Ipv6Addr};

tests![Needs::Ipv6;
    ipv6_both_forms_of_addresses_are_accepted,
    ipv6_beside_ipv4,
    ipv6_a_gateway_outside_the_subnet_is_reached_on_the_link,
    ipv6_a_wrong_field_does_not_affect_the_others,
    ipv6_advertised_routes_outlive_forwarding,
    ipv6_disabled_router_advertisements_stay_disabled,
];

/// Addresses that are not link-local: interface, address/prefix.
fn addresses(daemon: &Running<'_>) -> Vec<String> {
    let mut found: Vec<String> = daemon
        .proc("net/if_inet6")
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let address = Ipv6Addr::from(u128::from_str_radix(fields[0], 16).unwrap());
            let prefix = u8::from_str_radix(fields[2], 16).unwrap();
            let global = fields[3] == "00" && !address.is_loopback();
            global.then(|| format!("{} {address}/{prefix}", fields[5]))
        })
        .collect();
    found.sort();
    found
}

/// Interface and gateway of each default route.
fn default_routes(daemon: &Running<'_>) -> Vec<String> {
    let routes = daemon.proc("net/ipv6_route");
    let routes = routes.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let gateway = Ipv6Addr::from(u128::from_str_radix(fields[4], 16).unwrap());
        let default = fields[1] == "00" && fields[9] != "lo";
        default.then(|| format!("{} {gateway}", fields[9]))
    });
    routes.collect()
}

fn ipv6_both_forms_of_addresses_are_accepted() {
    for (line, setting) in [
        (
            "ip=[2001:db8::2]::[2001:db8::1]:64:host:eth0:none:[2001:db8::53]",
            "",
        ),
        (
            "",
            "[2001:db8::2]/64::[2001:db8::1]::host:eth0::[2001:db8::53]",
        ),
        (
            "ip=[2001:db8::2]::[2001:db8::1]::host:::[2001:DB8:0::53]",
            "",
        ),
    ] {
        let root = Root::new();
        let mut start = root.machine().before(bridge("eth0")).cmdline(line);
        if !setting.is_empty() {
            start = start.variable("DOCKER_LAUNCH_IP", setting);
        }
        let daemon = start.running();
        assert_eq!(addresses(&daemon), ["eth0 2001:db8::2/64"], "{line}");
        assert_eq!(default_routes(&daemon), ["eth0 2001:db8::1"], "{line}");
        assert_eq!(host_name(&daemon), "host");
        let server = "nameserver 2001:0db8:0000:0000:0000:0000:0000:0053\n";
        assert_eq!(root.read(RESOLV_CONF), server);
        assert_eq!(warnings_of(&daemon, "network"), [""; 0]);
    }
}

fn ipv6_beside_ipv4() {
    let root = Root::new();
    let line = "ip=10.9.8.7/24::10.9.8.1 ip=[fd00::7]/48 ip=[2001:db8::2]/64::[fe80::1]";
    let daemon = with_one_card(&root, line);
    assert_eq!(
        addresses(&daemon),
        ["eth0 2001:db8::2/64", "eth0 fd00::7/48"]
    );
    assert_eq!(default_routes(&daemon), ["eth0 fe80::1"]);
    assert_eq!(crate::network::routes(&daemon)[0], "eth0 00000000 0108090A");
}

fn ipv6_a_gateway_outside_the_subnet_is_reached_on_the_link() {
    let root = Root::new();
    let daemon = with_one_card(&root, "ip=[2001:db8::2]/128::[2001:db8:ffff::1]");
    assert_eq!(default_routes(&daemon), ["eth0 2001:db8:ffff::1"]);
    assert_eq!(warnings_of(&daemon, "network"), [""; 0]);
}

fn ipv6_a_wrong_field_does_not_affect_the_others() {
    for (line, fault) in [
        (
            "ip=[2001:db8::2]::10.9.8.1:64",
            "its gateway is not an address of the client's IP version",
        ),
        (
            "ip=[2001:db8::2]:::255.255.255.0",
            "its prefix is not /0 to /128",
        ),
        (
            "ip=[2001:db8::2]:::64:::off:[2001:db8::53",
            "its first name server is not an address",
        ),
    ] {
        let root = Root::new();
        let daemon = root
            .machine()
            .before(bridge("eth0"))
            .cmdline(line)
            .running();
        assert_eq!(addresses(&daemon), ["eth0 2001:db8::2/64"], "{line}");
        let line = format!("dockerlaunch: warning: {line}: {fault}; the rest of it is used");
        assert_eq!(warnings_of(&daemon, "ip="), [line]);
    }
}

/// The link-local address of the router as /proc shows it: fe80:: and its hardware address.
fn learns_a_route(daemon: &Running<'_>, router: &Router) -> String {
    daemon.until("with an advertised route", |daemon| {
        router.advertise();
        !default_routes(daemon).is_empty()
    });
    default_routes(daemon).remove(0)
}

fn setting(daemon: &Running<'_>, name: &str) -> String {
    let file = format!("/proc/sys/net/ipv6/conf/{name}");
    inside(daemon, || fs::read_to_string(file).unwrap())
}

fn forward(daemon: &Running<'_>) {
    let file = "/proc/sys/net/ipv6/conf/all/forwarding";
    inside(daemon, || fs::write(file, "1").unwrap());
}

fn ipv6_advertised_routes_outlive_forwarding() {
    let root = Root::new();
    for line in ["ip=10.9.8.7/24:::::eth0", "ip=[2001:db8::2]/64:::::eth0"] {
        let start = root.machine().before(interface("eth0", "veth"));
        let daemon = start.cmdline(line).running();
        let router = Router::new(&daemon);
        let route = learns_a_route(&daemon, &router);
        assert!(route.starts_with("eth0 fe80::"), "{route}");
        forward(&daemon);
        assert_eq!(default_routes(&daemon), [route], "{line}");
        assert_eq!(setting(&daemon, "eth0/accept_ra"), "2\n");
        // This does not apply to interfaces that dockerd makes later.
        assert_eq!(setting(&daemon, "default/accept_ra"), "1\n");
    }
}

fn ipv6_disabled_router_advertisements_stay_disabled() {
    let root = Root::new();
    let start = root.directory("/proc").machine();
    let start = start.before(Before::mount("proc", "/proc"));
    let start = start.before(interface("eth0", "veth"));
    let off = Before::Setting {
        file: "/proc/sys/net/ipv6/conf/eth0/accept_ra".into(),
        value: "0".into(),
    };
    let daemon = start.before(off).running();
    assert_eq!(setting(&daemon, "eth0/accept_ra"), "0\n");
    assert_eq!(setting(&daemon, "veth0/accept_ra"), "2\n");
}
