//! Static addresses of the kernel command line: which interface gets one, the gateway, one wrong field, dracut's arguments.

use crate::{
    kernel_ip::warnings_of,
    network::{
        RESOLV_CONF, addresses, bridge, host_name, inside, interface, routes, row, up,
        with_one_card,
    },
    root::Root,
    running::Running,
    util::{Needs, tests},
};
use std::fs;

tests![Needs::Network;
    c2_a_gateway_outside_the_subnet_is_reached_on_the_link,
    c2_an_impossible_gateway_is_a_warning,
    c8_a_wrong_field_does_not_affect_the_others,
    c8_any_host_name_is_accepted,
    d2_interfaces_that_a_module_makes_by_itself_are_skipped,
    d4_a_static_address_takes_precedence_over_autoconf,
    d4_autoconf_off_without_an_address_leaves_the_interface_down,
    f5_a_missing_interface_is_reported_with_the_existing_ones,
    f5_the_card_that_pxe_booted_from_is_chosen,
    f5_without_the_boot_card_the_first_card_is_chosen,
    f5_bootif_does_not_reach_the_daemon,
    f5_name_servers_and_routes_of_dracut_are_followed,
    f5_arguments_that_create_interfaces_are_refused_in_one_line,
];

/// The machine with two cards and this kernel command line.
fn with_two_cards<'r>(root: &'r Root, line: &str) -> Running<'r> {
    let start = root.machine().before(bridge("eth0")).before(bridge("eth1"));
    start.cmdline(line).running()
}

fn c2_a_gateway_outside_the_subnet_is_reached_on_the_link() {
    for (line, gateway) in [
        // The first two come from reports of users; the others are similar.
        (
            "ip=198.51.100.91::10.255.255.1:255.255.255.255::eth0:none",
            "01FFFF0A",
        ),
        ("ip=203.0.113.193::203.0.113.1:255.255.255.240", "017100CB"),
        ("ip=10.0.0.5/32::169.254.1.1", "0101FEA9"),
        ("ip=192.168.1.2/31::192.168.1.9", "0901A8C0"),
        ("ip=100.64.0.2/30::172.31.1.1:::eth0", "01011FAC"),
    ] {
        let root = Root::new();
        let daemon = with_two_cards(&root, line);
        assert_eq!(
            routes(&daemon)[0],
            format!("eth0 00000000 {gateway}"),
            "{line}"
        );
        assert_eq!(warnings_of(&daemon, "network"), [""; 0], "{line}");
    }
}

/// The addresses are a broadcast and a multicast address.
fn c2_an_impossible_gateway_is_a_warning() {
    for gateway in ["10.9.8.255", "224.0.0.5", "255.255.255.255"] {
        let root = Root::new();
        let daemon = with_two_cards(&root, &format!("ip=10.9.8.7/24::{gateway}"));
        assert_eq!(addresses(&daemon)[0][1], "10.9.8.7");
        let line =
            "dockerlaunch: warning: network default route through eth0: invalid argument (EINVAL)";
        assert_eq!(warnings_of(&daemon, "network"), [line], "{gateway}");
    }
}

fn c8_a_wrong_field_does_not_affect_the_others() {
    let wrong = |line: &str, fault: &str| {
        let root = Root::new();
        let daemon = with_two_cards(&root, line);
        let address = row(["eth0", "10.9.8.7", "255.255.255.0", "10.9.8.255"]);
        assert_eq!(addresses(&daemon), [address], "{line}");
        let line = format!("dockerlaunch: warning: {line}: {fault}; the rest of it is used");
        assert_eq!(warnings_of(&daemon, "ip="), [line]);
    };
    wrong(
        "ip=10.9.8.7/24::10.9.8:::eth0:off",
        "its gateway is not an address of the client's IP version",
    );
    wrong(
        "ip=10.9.8.7/24:::::eth0:off:ns.example",
        "its first name server is not an address",
    );
    wrong(
        "ip=10.9.8.7/24:::255.255.0.0::eth0",
        "its netmask is neither /0 to /32 nor a mask like 255.255.255.0",
    );
    wrong(
        "ip=10.9.8.7/24:::::eth0:perhaps",
        "its autoconf is none of off, none, static, on, any, both, dhcp, bootp, rarp",
    );
}

fn c8_any_host_name_is_accepted() {
    for (name, host) in [
        ("my_board", "my_board"),
        ("box.example.org", "box"),
        ("B!x", "B!x"),
    ] {
        let root = Root::new();
        let daemon = with_two_cards(
            &root,
            &format!("ip=10.9.8.7:::255.255.255.0:{name}:eth0:off"),
        );
        assert_eq!(addresses(&daemon)[0][1], "10.9.8.7");
        assert_eq!(host_name(&daemon), host);
        assert_eq!(warnings_of(&daemon, "ip="), [""; 0]);
    }
    let root = Root::new();
    let daemon = with_two_cards(&root, "ip=10.9.8.7/24::::box.example.org");
    let domain = inside(&daemon, || {
        fs::read_to_string("/proc/sys/kernel/domainname")
    });
    assert_eq!(domain.unwrap(), "example.org\n");
    // A name that sethostname(2) does not accept is truncated, as the kernel does it.
    let root = Root::new();
    let daemon = with_two_cards(&root, &format!("ip=10.9.8.7/24::::{}", "x".repeat(70)));
    assert_eq!(host_name(&daemon), "x".repeat(64));
    assert_eq!(
        warnings_of(&daemon, "its hostname is longer than 64 bytes").len(),
        1
    );
}

/// Loading the modules dummy, ifb or bonding makes interfaces. Most kernels have ifb; links.rs tests all kinds.
fn d2_interfaces_that_a_module_makes_by_itself_are_skipped() {
    let root = Root::new();
    let start = root.machine().before(interface("aaa0", "ifb"));
    let start = start
        .before(interface("ifb7", "ifb"))
        .before(bridge("eth0"));
    let daemon = start.cmdline("ip=10.9.8.7/24").running();
    assert_eq!(addresses(&daemon)[0][0], "eth0");
    assert_eq!(up(&daemon), ["eth0", "lo"]);
    let mac = daemon.read("/sys/class/net/eth0/address").replace(':', "");
    assert_eq!(host_name(&daemon), format!("docker-{}", mac[6..].trim()));
    drop(daemon);
    // An interface that is named is used.
    let start = root
        .machine()
        .before(interface("ifb7", "ifb"))
        .before(bridge("eth0"));
    let daemon = start.cmdline("ip=10.9.8.7/24:::::ifb7").running();
    assert_eq!(addresses(&daemon)[0][0], "ifb7");
}

fn d4_a_static_address_takes_precedence_over_autoconf() {
    for protocol in [
        "on",
        "any",
        "dhcp",
        "bootp",
        "rarp",
        "both",
        "dhcp,1,board-7",
    ] {
        let root = Root::new();
        let line =
            format!("ip=192.168.1.10:192.168.1.1:192.168.1.1:255.255.255.0:board:eth0:{protocol}");
        let daemon = with_two_cards(&root, &line);
        let address = row(["eth0", "192.168.1.10", "255.255.255.0", "192.168.1.255"]);
        assert_eq!(addresses(&daemon), [address], "{line}");
        assert_eq!(routes(&daemon)[0], "eth0 00000000 0101A8C0");
        assert_eq!(
            warnings_of(&daemon, "network"),
            [""; 0],
            "the launch looked for a DHCP client"
        );
    }
}

fn d4_autoconf_off_without_an_address_leaves_the_interface_down() {
    let root = Root::new();
    let daemon = with_two_cards(&root, "ip=::::box:eth0:off ip=0.0.0.0:::::eth1:none");
    assert_eq!(up(&daemon), ["lo"]);
    assert_eq!(host_name(&daemon), "box");
}

/// This test takes ten seconds, the time that a network card may take to appear.
fn f5_a_missing_interface_is_reported_with_the_existing_ones() {
    let root = Root::new();
    let daemon = with_one_card(&root, "ip=10.9.8.7::10.9.8.1:255.255.255.0::ens3:none");
    let line = "dockerlaunch: warning: network ens3: no such interface after 10 s; there is eth0; name one of them, \
        or add its driver's module to DOCKER_LAUNCH_MODULES";
    assert_eq!(warnings_of(&daemon, "network"), [line]);
}

/// Sets the hardware addresses first: in a network namespace they are random.
fn boot_card(line: &str) -> String {
    let root = Root::new();
    let start = root.machine().before(bridge("eth0")).before(bridge("eth1"));
    let address = crate::util::Before::Address {
        name: "eth1".into(),
        address: [0x52, 0x54, 0, 0x12, 0x34, 0x57],
    };
    let daemon = start.before(address).cmdline(line).running();
    let [name, ..] = addresses(&daemon).remove(0);
    name
}

fn f5_the_card_that_pxe_booted_from_is_chosen() {
    let card = "BOOTIF=01-52-54-00-12-34-57";
    for line in [
        format!("ip=10.9.8.7/24 {card}"),
        format!("{card} ip=10.9.8.7/24 -- --debug"),
        format!("ip=10.9.8.7/24 -- --debug {card}\n"),
        "ip=10.9.8.7/24 BOOTIF=52:54:00:12:34:57".into(),
    ] {
        assert_eq!(boot_card(&line), "eth1", "{line}");
    }
    assert_eq!(
        boot_card(&format!("ip=10.9.8.7/24:::::eth0 {card}")),
        "eth0"
    );
    assert_eq!(boot_card("ip=10.9.8.7/24 BOOTIF=01-52-54"), "eth0");
}

/// This test takes ten seconds, the time that a network card may take to appear.
fn f5_without_the_boot_card_the_first_card_is_chosen() {
    let root = Root::new();
    let daemon = with_two_cards(&root, "ip=10.9.8.7/24 BOOTIF=01-52-54-00-12-34-99");
    assert_eq!(addresses(&daemon)[0][0], "eth0");
    let line = "network the card of BOOTIF=: no such interface after 10 s; there is eth0, eth1;";
    assert_eq!(warnings_of(&daemon, line).len(), 1, "{}", daemon.log());
}

fn f5_bootif_does_not_reach_the_daemon() {
    let root = Root::new();
    for (words, left) in [
        (
            &["--debug", "BOOTIF=01-52-54-00-12-34-57"][..],
            &["dockerd", "--debug"][..],
        ),
        (&["BOOTIF=01-52-54-00-12-34-57"], &["dockerd"]),
        (&["BOOTIF=01-52-54-00-12-34-57", "-D"], &["dockerd", "-D"]),
    ] {
        let daemon = root.machine().words(words).running();
        assert_eq!(daemon.words(), left);
    }
}

fn f5_name_servers_and_routes_of_dracut_are_followed() {
    let root = Root::new();
    let daemon = with_two_cards(
        &root,
        "rd.route=10.1.0.0/16:10.9.8.254:eth0 rd.route=10.2.0.0/16:10.9.8.254 rd.route=10.3.0.0:no \
        ip=10.9.8.7/24:::::eth0 nameserver=10.0.2.3 nameserver=2001:db8::53 nameserver=ns -- nameserver=10.0.2.9",
    );
    assert_eq!(
        routes(&daemon)[0..2],
        ["eth0 0000010A FE08090A", "eth0 0000020A FE08090A"]
    );
    assert_eq!(
        root.read(RESOLV_CONF),
        "nameserver 10.0.2.3\nnameserver 2001:0db8:0000:0000:0000:0000:0000:0053\n"
    );
    let lines = [
        "dockerlaunch: warning: nameserver=ns is ignored: it is not an address",
        "dockerlaunch: warning: rd.route=10.3.0.0:no is ignored: it is not NETWORK/PREFIX:GATEWAY[:INTERFACE]",
    ];
    assert_eq!(warnings_of(&daemon, " is ignored"), lines);
}

fn f5_arguments_that_create_interfaces_are_refused_in_one_line() {
    let root = Root::new();
    let line = "vlan=eth0.5:eth0 bond=bond0:eth0,eth1 team=t0:eth0 bridge=br0:eth0 ifname=lan:52:54:00:12:34:56 ip=10.9.8.7/24";
    let daemon = with_two_cards(&root, line);
    let refused: Vec<String> = line
        .split(' ')
        .filter(|word| !word.starts_with("ip="))
        .map(|word| {
            format!("dockerlaunch: warning: {word} is ignored: dockerlaunch creates and renames no interfaces; name a network card in ip=")
        })
        .collect();
    assert_eq!(warnings_of(&daemon, " is ignored"), refused);
    assert_eq!(addresses(&daemon).len(), 1);
}
