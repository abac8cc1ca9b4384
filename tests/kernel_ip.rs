//! The `ip=` words of the kernel command line, DHCP by the image's udhcpc, and the name servers that a kernel with IP_PNP found.

use crate::{
    network::{RESOLV_CONF, addresses, bridge, host_name, routes, row, up, with_one_card},
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};

tests![Needs::Network;
    every_ip_word_is_followed,
    words_for_another_init_are_reported_once,
    a_setting_replaces_all_ip_words,
    a_container_ignores_the_kernel_command_line,
    dhcp_asks_for_a_lease,
    dhcp_words_of_the_kernel,
    without_a_lease_the_daemon_starts,
    a_client_that_hangs_is_killed,
    a_client_that_fails,
    a_missing_client,
    an_interface_with_a_route_gets_no_dhcp,
    name_servers_of_proc_net_pnp,
];

fn warnings(daemon: &Running<'_>) -> Vec<String> {
    let mut found = warnings_of(daemon, "ip=");
    found.extend(warnings_of(daemon, " eth0"));
    found.sort();
    found.dedup();
    found.sort_by_key(|line| daemon.log().find(line));
    found
}

/// The warnings that contain this.
pub(crate) fn warnings_of(daemon: &Running<'_>, what: &str) -> Vec<String> {
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("warning: "));
    let lines = lines.filter(|line| line.contains(what));
    lines.map(String::from).collect()
}

fn every_ip_word_is_followed() {
    let root = Root::new();
    let daemon = root
        .machine()
        .cmdline("quiet ip=10.9.8.7:10.9.8.2:10.9.8.1:255.255.255.0:box:eth0:off:10.0.2.4:10.0.2.5:10.0.2.6 ip=off ip=none \
            ip=192.168.7.2/24:::::eth1 rw -- ip=172.16.0.1/24:::::eth1\n")
        .before(bridge("eth0"))
        .before(bridge("eth1"))
        .running();
    assert_eq!(up(&daemon), ["eth0", "eth1", "lo"]);
    assert_eq!(
        addresses(&daemon),
        [
            row(["eth0", "10.9.8.7", "255.255.255.0", "10.9.8.255"]),
            row(["eth1", "192.168.7.2", "255.255.255.0", "192.168.7.255"]),
        ]
    );
    assert_eq!(routes(&daemon)[0], "eth0 00000000 0108090A");
    assert_eq!(host_name(&daemon), "box");
    assert_eq!(
        root.read(RESOLV_CONF),
        "nameserver 10.0.2.4\nnameserver 10.0.2.5\n"
    );
    assert_eq!(warnings(&daemon), [""; 0]);
}

fn words_for_another_init_are_reported_once() {
    let root = Root::new();
    let daemon = with_one_card(&root, "ip=eth0:dhcp ip=10.9.8.7/24:::::eth0 ip=2001:db8::1");
    let said = |word: &str| {
        format!(
            "dockerlaunch: warning: {word} is ignored: its client address is neither IPv4 (10.0.2.15) nor IPv6 in brackets nor dhcp"
        )
    };
    let words = ["ip=eth0:dhcp", "ip=2001:db8::1"];
    assert_eq!(warnings(&daemon), words.map(said));
    assert_eq!(addresses(&daemon).len(), 1);
}

fn a_setting_replaces_all_ip_words() {
    let root = Root::new();
    let daemon = root
        .machine()
        .before(bridge("eth0"))
        .cmdline("ip=10.9.8.7/24:::box:eth0 ip=nonsense")
        .variable("DOCKER_LAUNCH_IP", "10.1.1.1/24")
        .running();
    assert_eq!(addresses(&daemon)[0][1], "10.1.1.1");
    assert_eq!((addresses(&daemon).len(), warnings(&daemon).len()), (1, 0));
    assert!(host_name(&daemon).starts_with("docker-"));
}

fn a_container_ignores_the_kernel_command_line() {
    let root = Root::new();
    let words = root
        .file("/words", "ip=10.9.8.7/24:::box:eth0")
        .path("/words");
    let start = root.container().before(bridge("eth0"));
    let daemon = start.before(Before::bind(words, "/proc/cmdline")).running();
    assert_eq!(addresses(&daemon), [[""; 4]; 0]);
}

/// A root whose DHCP client does this.
fn with_client(does: &str) -> Root {
    let root = Root::new();
    root.stand_in("/usr/sbin/udhcpc")
        .file("/udhcpc.status", does);
    root
}

const DHCP: (&str, &str) = ("DOCKER_LAUNCH_IP", "dhcp");

/// The arguments of udhcpc.
fn client(device: &str) -> String {
    format!("udhcpc -b -i {device} -O 26 -O 119 -O 121 -s /usr/bin/dockerlaunch").replace(' ', "\n")
}

fn dhcp_asks_for_a_lease() {
    let root = with_client("lease");
    let start = root.container().before(bridge("eth0"));
    let daemon = start.variable(DHCP.0, DHCP.1).running();
    assert_eq!(root.read("/udhcpc.words"), client("eth0"));
    assert_eq!(up(&daemon), ["eth0", "lo"]);
    assert_eq!(addresses(&daemon)[0][1], "10.9.8.7");
    assert_eq!(warnings(&daemon), [""; 0]);
}

fn dhcp_words_of_the_kernel() {
    for (words, device) in [
        ("ip=dhcp", "eth0"),
        ("ip=::::box:eth1:dhcp", "eth1"),
        ("ip=:::::eth1", "eth1"),
    ] {
        let root = with_client("lease");
        let mut start = root.machine().before(bridge("eth0"));
        if device == "eth1" {
            start = start.before(bridge("eth1"));
        }
        let daemon = start.cmdline(words).running();
        assert_eq!(root.read("/udhcpc.words"), client(device), "{words}");
        assert_eq!(addresses(&daemon)[0][0..2], [device, "10.9.8.7"], "{words}");
        assert_eq!(host_name(&daemon) == "box", words.contains("box"));
    }
}

fn without_a_lease_the_daemon_starts() {
    let root = with_client("0");
    let start = root.container().before(bridge("eth0"));
    let daemon = start.variable(DHCP.0, DHCP.1).running();
    let line = "dockerlaunch: warning: eth0 has no lease yet: no DHCP server has answered; udhcpc keeps trying";
    assert_eq!(warnings(&daemon), [line]);
}

/// This test takes thirty seconds, the time that a client may take.
fn a_client_that_hangs_is_killed() {
    let root = with_client("hang");
    let start = root.container().before(bridge("eth0"));
    let daemon = start.variable(DHCP.0, DHCP.1).running();
    let line =
        "dockerlaunch: warning: eth0 has no lease: udhcpc took longer than 30 s and was killed";
    assert_eq!(warnings(&daemon), [line]);
}

/// The engine starts without an address as well.
fn assert_warned(root: &Root, line: &str) {
    let start = root.container().before(bridge("eth0"));
    let daemon = start.variable(DHCP.0, DHCP.1).running();
    let line = format!("dockerlaunch: warning: network eth0: {line}");
    assert_eq!(warnings_of(&daemon, " eth0"), [line]);
}

fn a_client_that_fails() {
    let line = "udhcpc failed: see its output above";
    assert_warned(&with_client("1"), line);
}

fn a_missing_client() {
    let line =
        "dhcp needs the image's udhcpc, and there is none in PATH: install busybox or udhcpc";
    assert_warned(&Root::new(), line);
}

fn an_interface_with_a_route_gets_no_dhcp() {
    let root = with_client("1");
    root.stand_in("/usr/bin/once");
    let first = Before::Launch {
        variables: vec![("DOCKER_LAUNCH_IP".into(), "10.9.8.7/24".into())],
    };
    let start = root.container().before(bridge("eth0")).before(first);
    let daemon = start.variable(DHCP.0, DHCP.1).running();
    assert_eq!(addresses(&daemon).len(), 1);
    assert!(!root.path("/udhcpc.words").exists());
}

/// The format is that of net/ipv4/ipconfig.c.
fn name_servers_of_proc_net_pnp() {
    let pnp = "#PROTO: DHCP\ndomain example.org\nnameserver 10.0.2.3\nnameserver 10.0.2.4\nbootserver 10.0.2.2\n";
    let start = |root: &Root| {
        let net = root
            .file("/net/pnp", pnp)
            .file("/net/route", "")
            .path("/net");
        Before::bind(net, "/proc/1/net")
    };
    let root = Root::new();
    drop(root.machine().cmdline("").before(start(&root)).running());
    let found = "domain example.org\nnameserver 10.0.2.3\nnameserver 10.0.2.4\n";
    assert_eq!(root.read(RESOLV_CONF), found);
    // A setting takes precedence.
    let start = root.machine().cmdline("").before(start(&root));
    drop(start.variable("DOCKER_LAUNCH_DNS", "10.0.2.9").running());
    assert_eq!(root.read(RESOLV_CONF), "nameserver 10.0.2.9\n");
}
