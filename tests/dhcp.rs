//! A real client gets a lease from a real server, busybox's.

use crate::{
    network::{RESOLV_CONF, addresses, interface, routes, up},
    root::{Root, STARTED},
    router::Router,
    rtnetlink::add_address,
    util::{Before, Needs, search, tests},
};
use nix::fcntl::OFlag;
use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
};

tests![Needs::Busybox;
    d5_a_real_server_gives_a_lease,
];

const SERVER: &str = "start 10.9.8.20
end 10.9.8.20
interface veth0
max_leases 1
option subnet 255.255.255.0
option router 10.9.8.1
option dns 10.0.2.3 10.0.2.4
option domain a.example
option search a.example b.example
option mtu 1450
option staticroutes 0.0.0.0/0 10.9.8.9, 172.16.0.0/12 10.9.8.9
option lease 120
";

/// This test takes some seconds: udhcpc asks every three seconds, and asks first before there is a server.
fn d5_a_real_server_gives_a_lease() {
    let busybox = search("busybox").unwrap();
    let root = Root::new();
    root.directory("/usr/sbin")
        .directory("/usr/lib/x86_64-linux-gnu");
    fs::copy(&busybox, root.path("/usr/sbin/udhcpc")).unwrap();
    let files = ["leases", "pid"].map(|file| {
        root.file(&format!("/server/{file}"), "")
            .path(&format!("/server/{file}"))
    });
    let configuration = format!(
        "{SERVER}lease_file {}\npidfile {}\n",
        files[0].display(),
        files[1].display()
    );
    let configuration = root
        .file("/server/conf", &configuration)
        .path("/server/conf");
    // The libraries of busybox, if it is linked to any.
    let libraries = Before::bind("/usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu");
    let start = root
        .machine()
        .before(libraries)
        .before(interface("eth0", "veth"));
    // The daemon waits until somebody reads this.
    let mut reader = fs::File::options();
    let reader = reader.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let _reader = reader.open(root.path(STARTED)).unwrap();
    let daemon = start.cmdline("ip=:::::eth0:dhcp,1,board-7").started();
    daemon.until("asked for a lease", |daemon| {
        up(daemon).contains(&"eth0".into())
    });
    let router = Router::new(&daemon);
    let mut server = router.inside(|| {
        add_address("veth0", [10, 9, 8, 1]);
        let mut server = Command::new(&busybox);
        server
            .arg("udhcpd")
            .arg("-f")
            .arg(&configuration)
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    });
    daemon.until("with names of the lease", |_| {
        root.path(RESOLV_CONF).exists()
    });
    let _ = server.kill().and_then(|()| server.wait().map(drop));
    assert_eq!(
        addresses(&daemon)[0][..3],
        ["eth0", "10.9.8.20", "255.255.255.0"]
    );
    assert_eq!(
        routes(&daemon),
        [
            "eth0 00000000 0908090A",
            "eth0 0008090A 00000000",
            "eth0 000010AC 0908090A"
        ]
    );
    assert_eq!(daemon.read("/sys/class/net/eth0/mtu"), "1450\n");
    assert_eq!(
        root.read(RESOLV_CONF),
        "search a.example b.example\nnameserver 10.0.2.3\nnameserver 10.0.2.4\n"
    );
}
