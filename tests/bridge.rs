//! With `-b NAME --bip ADDRESS/PREFIX` the launch makes the bridge and drops `--bip`, which dockerd would refuse beside `-b`.

use crate::{
    network::{addresses, bridge, row, up},
    root::Root,
    running::Running,
    util::{Needs, tests},
};

tests![Needs::Network;
    a_bridge_is_made,
    daemon_json_may_name_it,
    an_existing_bridge_is_used,
    one_flag_without_the_other_is_left_to_dockerd,
    an_invalid_address_is_refused,
];

fn mtu(daemon: &Running<'_>, bridge: &str) -> String {
    let mtu = daemon.read(&format!("/sys/class/net/{bridge}/mtu"));
    mtu.trim().into()
}

fn a_bridge_is_made() {
    let root = Root::new();
    let words = [
        "-D",
        "-b",
        "br0",
        "--bip",
        "10.1.2.3/24",
        "--mtu=1400",
        "--fixed-cidr",
        "10.1.2.128/25",
    ];
    let daemon = root.machine().words(words).running();
    let left = [
        "dockerd",
        "-D",
        "-b",
        "br0",
        "--mtu=1400",
        "--fixed-cidr",
        "10.1.2.128/25",
    ];
    assert_eq!(daemon.words(), left);
    assert_eq!(up(&daemon), ["br0", "lo"]);
    let address = row(["br0", "10.1.2.3", "255.255.255.0", "10.1.2.255"]);
    assert_eq!(addresses(&daemon), [address]);
    assert_eq!(mtu(&daemon, "br0"), "1400");
    assert!(daemon.path("/sys/class/net/br0/bridge").is_dir());
}

fn daemon_json_may_name_it() {
    let root = Root::new();
    root.file(
        "/etc/docker/daemon.json",
        r#"{"bridge": "a-name-of-15-by", "mtu": 1300}"#,
    );
    let daemon = root.machine().words(["--bip=10.1.2.3/24"]).running();
    assert_eq!(daemon.words(), ["dockerd"]);
    assert_eq!(addresses(&daemon)[0][0], "a-name-of-15-by");
    assert_eq!(mtu(&daemon, "a-name-of-15-by"), "1300");
    // A flag takes precedence over daemon.json.
    let words = ["--bip=10.1.2.3/24", "--bridge=br1", "--mtu", "1200"];
    let daemon = root.machine().words(words).running();
    assert_eq!(up(&daemon), ["br1", "lo"]);
    assert_eq!(mtu(&daemon, "br1"), "1200");
}

fn an_existing_bridge_is_used() {
    let root = Root::new();
    let start = root.machine().before(bridge("br0"));
    let daemon = start.words(["-bbr0", "--bip=10.1.2.3/24"]).running();
    assert_eq!(daemon.words(), ["dockerd", "-bbr0"]);
    assert_eq!((up(&daemon).len(), addresses(&daemon).len()), (2, 1));
    assert_eq!(mtu(&daemon, "br0"), "1500");
}

fn one_flag_without_the_other_is_left_to_dockerd() {
    let root = Root::new();
    for words in [
        &["-b", "br0"][..],
        &["--bip=10.1.2.3/24"],
        &["-b", "none", "--bip=10.1.2.3/24"],
        &["--bridge=", "--bip", "x"],
    ] {
        let daemon = root.machine().words(words).running();
        assert_eq!(daemon.words()[1..], *words);
        assert_eq!(up(&daemon), ["lo"], "{words:?}");
    }
}

fn an_invalid_address_is_refused() {
    let root = Root::new();
    for bip in ["10.1.2.3", "10.1.2.3/33", "10.1.2/24", "fd00::1/64", ""] {
        let ended = root.container().words(["-bbr0", "--bip", bip]).ended();
        let subject = if bip.is_empty() {
            String::new()
        } else {
            format!(" {bip}")
        };
        let line = format!(
            "dockerlaunch: network{subject}: --bip is not an address with a prefix, as in 172.18.0.1/16\n"
        );
        assert_eq!((ended.status, ended.said()), (125, line));
    }
}
