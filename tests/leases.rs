//! The program itself applies the offer of a DHCP server: udhcpc starts it as its script. Several cards are asked.

use crate::{
    kernel_ip::warnings_of,
    network::{RESOLV_CONF, addresses, bridge, routes, row, up},
    root::Root,
    running::Running,
    util::{Needs, tests},
};

tests![Needs::Network;
    d5_mtu_domains_and_routes_are_applied,
    d5_classless_routes_replace_the_router,
    d5_an_invalid_option_does_not_affect_the_others,
    d5_configured_name_servers_stay,
    d5_a_changed_lease_replaces_the_address,
    d5_a_client_id_is_passed_on,
    d5_the_lease_has_a_lifetime,
    d5_only_udhcpc_can_start_it_as_its_script,
    f5_dhcp_runs_beside_a_static_address,
    f5_dhcp_runs_on_all_cards_and_the_first_lease_counts,
    f5_all_cards_without_a_lease_are_one_warning,
];

/// A root whose DHCP server makes this offer: variables of busybox, one a line; an empty line separates leases.
fn offered(lease: &str) -> Root {
    let root = Root::new();
    root.stand_in("/usr/sbin/udhcpc")
        .file("/udhcpc.status", "lease")
        .file("/udhcpc.lease", lease);
    root
}

/// The daemon of a machine whose only card uses DHCP.
fn leased(root: &Root) -> Running<'_> {
    root.machine()
        .before(bridge("eth0"))
        .cmdline("ip=dhcp")
        .running()
}

const LEASE: &str = "bound
ip=10.9.8.7
mask=24
subnet=255.255.255.0
router=10.9.8.1 10.9.8.2
dns=10.0.2.3 10.0.2.4
lease=3600
serverid=10.9.8.2";

fn d5_mtu_domains_and_routes_are_applied() {
    let root = offered(&format!(
        "{LEASE}\nmtu=1450\ndomain=a.example\nsearch=a.example b.example"
    ));
    let daemon = leased(&root);
    let address = row(["eth0", "10.9.8.7", "255.255.255.0", "10.9.8.255"]);
    assert_eq!(addresses(&daemon), [address]);
    assert_eq!(
        routes(&daemon),
        ["eth0 00000000 0108090A", "eth0 0008090A 00000000"]
    );
    assert_eq!(daemon.read("/sys/class/net/eth0/mtu"), "1450\n");
    let names = "nameserver 10.0.2.3\nnameserver 10.0.2.4\n";
    let searched = format!("search a.example b.example\n{names}");
    assert_eq!(root.read(RESOLV_CONF), searched);
    assert_eq!(warnings_of(&daemon, "eth0"), [""; 0]);
    // A domain without a search list is the search list.
    let root = offered(&format!("{LEASE}\ndomain=a.example"));
    drop(leased(&root));
    assert_eq!(root.read(RESOLV_CONF), format!("search a.example\n{names}"));
}

fn d5_classless_routes_replace_the_router() {
    // GCP and Hetzner offer this: an address without a subnet, a gateway on the link, and a default route through it.
    let root = offered(
        "bound\nip=10.9.8.7\nmask=32\nrouter=10.9.8.3\nlease=60\n\
        staticroutes=10.9.8.1/32 0.0.0.0 0.0.0.0/0 10.9.8.1 172.16.0.0/12 10.9.8.1",
    );
    let daemon = leased(&root);
    assert_eq!(
        routes(&daemon),
        [
            "eth0 00000000 0108090A",
            "eth0 0108090A 00000000",
            "eth0 000010AC 0108090A"
        ]
    );
    assert_eq!(warnings_of(&daemon, "eth0"), [""; 0]);
    // A router outside the subnet is reached on the link.
    let root = offered("bound\nip=10.9.8.7\nmask=32\nrouter=169.254.1.1\nlease=60");
    let daemon = leased(&root);
    assert_eq!(routes(&daemon), ["eth0 00000000 0101FEA9"]);
}

fn d5_an_invalid_option_does_not_affect_the_others() {
    let root = offered(&format!(
        "{LEASE}\nmtu=68\nsearch=a;b\nstaticroutes=10.1.0.0/16 10.9.8.9 10.0.0.0/40 10.9.8.9 10.2.0.0/16 224.0.0.1"
    ));
    let daemon = leased(&root);
    assert_eq!(
        routes(&daemon),
        ["eth0 0000010A 0908090A", "eth0 0008090A 00000000"]
    );
    assert_eq!(daemon.read("/sys/class/net/eth0/mtu"), "1500\n");
    assert_eq!(
        root.read(RESOLV_CONF),
        "nameserver 10.0.2.3\nnameserver 10.0.2.4\n"
    );
    let line = |what: &str| format!("dockerlaunch: warning: eth0: the lease's {what} is ignored");
    assert_eq!(
        warnings_of(&daemon, "eth0"),
        ["MTU 68", "route 10.0.0.0/40", "route 10.2.0.0/16"].map(line)
    );
}

fn d5_configured_name_servers_stay() {
    for (line, setting) in [("ip=dhcp", "10.0.2.9"), ("ip=dhcp:::::::10.0.2.9", "")] {
        let root = offered(&format!("{LEASE}\n\nrenew\n{}", &LEASE["bound\n".len()..]));
        let mut start = root.machine().before(bridge("eth0")).cmdline(line);
        if !setting.is_empty() {
            start = start.variable("DOCKER_LAUNCH_DNS", setting);
        }
        drop(start.running());
        assert_eq!(root.read(RESOLV_CONF), "nameserver 10.0.2.9\n");
    }
}

fn d5_a_changed_lease_replaces_the_address() {
    let root = offered(&format!(
        "{LEASE}\n\nrenew\nip=10.9.8.7\nmask=24\nlease=60\n\nbound\nip=10.7.7.7\nmask=16\nlease=60"
    ));
    let daemon = leased(&root);
    let address = row(["eth0", "10.7.7.7", "255.255.0.0", "10.7.255.255"]);
    assert_eq!(addresses(&daemon), [address]);
    drop(daemon);
    let root = offered(&format!("{LEASE}\n\ndeconfig"));
    let daemon = leased(&root);
    assert_eq!((addresses(&daemon).len(), routes(&daemon).len()), (0, 0));
    assert_eq!(up(&daemon), ["eth0", "lo"]);
}

fn d5_a_client_id_is_passed_on() {
    for (line, id) in [
        ("ip=dhcp,1,board-7", "0x3d:01626f6172642d37"),
        ("ip=:::::eth0:dhcp,255,a,b", "0x3d:ff612c62"),
    ] {
        let root = offered(LEASE);
        drop(
            root.machine()
                .before(bridge("eth0"))
                .cmdline(line)
                .running(),
        );
        let words = root.read("/udhcpc.words");
        assert!(words.ends_with(&format!("\n-x\n{id}")), "{words}");
    }
}

/// The kernel removes the address if nobody renews the lease.
fn d5_the_lease_has_a_lifetime() {
    let root = offered(&LEASE.replace("lease=3600", "lease=2"));
    let daemon = leased(&root);
    assert_eq!(addresses(&daemon).len(), 1);
    daemon.until("without the address", |daemon| addresses(daemon).is_empty());
}

/// With only the name of udhcpc's event, it starts a daemon of that name.
fn d5_only_udhcpc_can_start_it_as_its_script() {
    let root = Root::new();
    root.stand_in("/usr/bin/appliance");
    std::fs::rename(root.path("/usr/bin/appliance"), root.path("/usr/bin/bound")).unwrap();
    let ended = root
        .machine()
        .words(["nak"])
        .variable("interface", "lo")
        .ended();
    assert_eq!(ended.status, 127, "{}", ended.stderr);
    // It configures nothing without an interface of that name.
    let mut start = root.machine().words(["bound"]);
    for (name, value) in [
        ("DOCKERLAUNCH_LEASE", "names"),
        ("interface", "none"),
        ("ip", "10.9.8.7"),
    ] {
        start = start.variable(name, value);
    }
    let ended = start.ended();
    let line = "dockerlaunch: warning: network none: timed out (ETIMEDOUT)\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, line));
}

fn f5_dhcp_runs_beside_a_static_address() {
    for line in [
        "ip=192.168.7.2/24:::::eth1 ip=dhcp",
        "ip=192.168.7.2/24::192.168.7.1:::eth1 ip=dhcp",
        "ip=dhcp ip=192.168.7.2/24:::::eth1",
    ] {
        let root = offered(LEASE);
        // Only the first card gets an answer.
        root.file("/udhcpc.eth1.status", "0");
        let start = root.machine().before(bridge("eth0")).before(bridge("eth1"));
        let daemon = start.cmdline(line).running();
        let mut found: Vec<_> = addresses(&daemon)
            .into_iter()
            .map(|[name, address, ..]| (name, address))
            .collect();
        found.sort();
        let expected = [("eth0", "10.9.8.7"), ("eth1", "192.168.7.2")];
        assert_eq!(
            found,
            expected.map(|(name, address)| (name.into(), address.into())),
            "{line}"
        );
    }
}

fn f5_dhcp_runs_on_all_cards_and_the_first_lease_counts() {
    for (answers, silent, other) in [
        ("eth1", "0", "eth0"),
        ("eth1", "hang", "eth0"),
        ("eth0", "1", "eth1"),
    ] {
        let root = offered(LEASE);
        root.file(&format!("/udhcpc.{other}.status"), silent);
        let start = root.machine().before(bridge("eth0")).before(bridge("eth1"));
        let daemon = start.cmdline("ip=dhcp").running();
        assert_eq!(addresses(&daemon).len(), 1);
        assert_eq!(addresses(&daemon)[0][0], answers);
        assert_eq!(warnings_of(&daemon, "lease"), [""; 0]);
        // The client that hung was killed.
        daemon.until("without udhcpc", |daemon| daemon.children().len() < 2);
    }
}

fn f5_all_cards_without_a_lease_are_one_warning() {
    let root = offered(LEASE);
    root.file("/udhcpc.status", "0");
    let start = root.machine().before(bridge("eth0")).before(bridge("eth1"));
    let daemon = start.cmdline("ip=dhcp").running();
    let line = "dockerlaunch: warning: each network card has no lease yet: no DHCP server has answered; udhcpc keeps trying";
    assert_eq!(warnings_of(&daemon, "lease"), [line]);
}
