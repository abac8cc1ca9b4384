//! Addresses, the host name and name servers, in a separate network namespace.

use crate::{
    root::Root,
    running::{Running, mode},
    util::{Before, Needs, tests},
};
use nix::sched::{CloneFlags, setns};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    thread,
};

tests![Needs::Network;
    lo_is_up,
    an_interface_gets_its_address_and_route,
    the_first_ethernet_interface_is_chosen,
    an_existing_address_stays,
    a_missing_interface_is_named,
    the_host_name,
    name_servers_are_written,
    a_resolv_conf_that_is_mounted_is_written_in_place,
    without_a_setting_resolv_conf_is_left,
    everybody_may_read_resolv_conf,
    a_mounted_resolv_conf_below_a_read_only_root_is_written,
    a_resolv_conf_that_cannot_be_replaced_leaves_no_temporary_file,
];

/// Runs `look` in the daemon's namespaces. It needs its own thread: threads that share their file system state cannot enter.
pub(crate) fn inside<T: Send>(daemon: &Running<'_>, look: impl FnOnce() -> T + Send) -> T {
    let enter = |namespace: &str, flag| {
        setns(
            File::open(format!("/proc/{}/ns/{namespace}", daemon.pid)).unwrap(),
            flag,
        )
    };
    thread::scope(|scope| {
        let looker = scope.spawn(|| {
            enter("net", CloneFlags::CLONE_NEWNET).unwrap();
            enter("uts", CloneFlags::CLONE_NEWUTS).unwrap();
            look()
        });
        looker.join().unwrap()
    })
}

pub(crate) fn host_name(daemon: &Running<'_>) -> String {
    inside(daemon, || {
        fs::read_to_string("/proc/sys/kernel/hostname")
            .unwrap()
            .trim()
            .into()
    })
}

/// The machine with one card and this kernel command line.
pub(crate) fn with_one_card<'r>(root: &'r Root, line: &str) -> Running<'r> {
    let start = root.machine().before(bridge("eth0"));
    start.cmdline(line).running()
}

/// The interfaces that are up.
pub(crate) fn up(daemon: &Running<'_>) -> Vec<String> {
    use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
    let mut names: Vec<_> = inside(daemon, || getifaddrs().unwrap().collect::<Vec<_>>())
        .into_iter()
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .map(|interface| interface.interface_name)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// IPv4: interface, address, netmask, broadcast address.
pub(crate) fn addresses(daemon: &Running<'_>) -> Vec<[String; 4]> {
    use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
    let text = |address: Option<SockaddrStorage>| {
        address
            .and_then(|address| {
                address
                    .as_sockaddr_in()
                    .map(|address| address.ip().to_string())
            })
            .unwrap_or_default()
    };
    inside(daemon, || getifaddrs().unwrap().collect::<Vec<_>>())
        .into_iter()
        .map(|found| {
            [
                found.interface_name,
                text(found.address),
                text(found.netmask),
                text(found.broadcast),
            ]
        })
        .filter(|[_, address, ..]| !address.is_empty() && address != "127.0.0.1")
        .collect()
}

/// IPv4: interface, destination, gateway, in hexadecimal as the kernel shows them.
pub(crate) fn routes(daemon: &Running<'_>) -> Vec<String> {
    let routes = daemon.proc("net/route");
    let first_three = |line: &str| line.split('\t').take(3).collect::<Vec<_>>().join(" ");
    routes.lines().skip(1).map(first_three).collect()
}

pub(crate) fn bridge(name: &str) -> Before {
    interface(name, "bridge")
}

pub(crate) fn interface(name: &str, kind: &str) -> Before {
    Before::Interface {
        name: name.into(),
        kind: kind.into(),
    }
}

pub(crate) fn row(fields: [&str; 4]) -> [String; 4] {
    fields.map(String::from)
}

fn lo_is_up() {
    let root = Root::new();
    let daemon = root.machine().running();
    assert_eq!(up(&daemon), ["lo"]);
    assert_eq!(addresses(&daemon), [[""; 4]; 0]);
}

fn an_interface_gets_its_address_and_route() {
    let root = Root::new();
    let daemon = root
        .machine()
        .before(bridge("eth0"))
        .before(bridge("eth1"))
        .variable(
            "DOCKER_LAUNCH_IP",
            "10.9.8.7::10.9.8.1:255.255.255.128::eth1",
        )
        .running();
    assert_eq!(up(&daemon), ["eth1", "lo"]);
    assert_eq!(
        addresses(&daemon),
        [row(["eth1", "10.9.8.7", "255.255.255.128", "10.9.8.127"])]
    );
    assert_eq!(
        routes(&daemon),
        ["eth1 00000000 0108090A", "eth1 0008090A 00000000"]
    );
}

fn the_first_ethernet_interface_is_chosen() {
    let root = Root::new();
    let daemon = root
        .machine()
        .before(bridge("wan"))
        .variable("DOCKER_LAUNCH_IP", "192.168.7.2/31")
        .running();
    assert_eq!(up(&daemon), ["lo", "wan"]);
    // A subnet of two addresses has no broadcast address, so getifaddrs(3) reports the interface's own.
    let own = "192.168.7.2";
    assert_eq!(
        addresses(&daemon),
        [row(["wan", own, "255.255.255.254", own])]
    );
    assert_eq!(routes(&daemon), ["wan 0207A8C0 00000000"]);
}

/// Two launches in the same namespaces.
fn an_existing_address_stays() {
    let root = Root::new();
    root.stand_in("/usr/bin/once");
    let ip = ("DOCKER_LAUNCH_IP", "10.9.8.7/24::10.9.8.1");
    let daemon = root
        .container()
        .before(bridge("eth0"))
        .before(Before::Launch {
            variables: vec![(ip.0.into(), ip.1.into())],
        })
        .variable(ip.0, ip.1)
        .running();
    assert_eq!(
        addresses(&daemon),
        [row(["eth0", "10.9.8.7", "255.255.255.0", "10.9.8.255"])]
    );
    assert_eq!(routes(&daemon).len(), 2);
}

/// This test takes ten seconds, the time that a network card may take to appear.
fn a_missing_interface_is_named() {
    let root = Root::new();
    let start = root
        .container()
        .before(bridge("eth0"))
        .before(bridge("eth1"));
    let daemon = start
        .variable("DOCKER_LAUNCH_IP", "10.9.8.7:::::eth7")
        .running();
    let said = "dockerlaunch: waiting for eth7, up to 10 s\n\
        dockerlaunch: warning: network eth7: no such interface after 10 s; there is eth0, eth1; name one of them, \
        or add its driver's module to DOCKER_LAUNCH_MODULES\n";
    assert!(daemon.log().contains(said), "{}", daemon.log());
    assert_eq!(addresses(&daemon), [[""; 4]; 0]);
}

fn the_host_name() {
    let root = Root::new();
    assert_eq!(host_name(&root.machine().running()), "docker");
    root.file("/etc/hostname", "box.example\n");
    assert_eq!(host_name(&root.machine().running()), "box.example");
    let ip = ("DOCKER_LAUNCH_IP", "10.9.8.7::::from-ip");
    assert_eq!(
        host_name(
            &root
                .machine()
                .before(bridge("eth0"))
                .variable(ip.0, ip.1)
                .running()
        ),
        "from-ip"
    );
    let setting = ("DOCKER_LAUNCH_HOSTNAME", "from-setting");
    let start = root
        .machine()
        .before(bridge("eth0"))
        .variable(ip.0, ip.1)
        .variable(setting.0, setting.1);
    assert_eq!(host_name(&start.running()), "from-setting");
    // A container gets its name from its engine.
    let mine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(host_name(&root.container().running()), mine.trim());
    assert_eq!(
        host_name(&root.container().variable(setting.0, setting.1).running()),
        "from-setting"
    );
}

pub(crate) const RESOLV_CONF: &str = "/etc/resolv.conf";

fn name_servers_are_written() {
    let root = Root::new();
    // If a distribution has a link there, the file replaces it.
    root.file("/stub", "old\n").link(RESOLV_CONF, "../stub");
    let start = root
        .machine()
        .variable("DOCKER_LAUNCH_DNS", "10.0.2.3,2001:db8::1");
    drop(start.running());
    assert_eq!(
        root.read(RESOLV_CONF),
        "nameserver 10.0.2.3\nnameserver 2001:db8::1\n"
    );
    let file = fs::symlink_metadata(root.path(RESOLV_CONF)).unwrap();
    assert!(file.is_file());
    assert_eq!(mode(&root.path(RESOLV_CONF)), 0o644);
    assert_eq!(root.read("/stub"), "old\n");
    let ip = "10.9.8.7::::::off:10.0.2.4:10.0.2.5";
    drop(
        root.machine()
            .before(bridge("eth0"))
            .variable("DOCKER_LAUNCH_IP", ip)
            .running(),
    );
    assert_eq!(
        root.read(RESOLV_CONF),
        "nameserver 10.0.2.4\nnameserver 10.0.2.5\n"
    );
    let start = root
        .machine()
        .before(bridge("eth0"))
        .variable("DOCKER_LAUNCH_IP", ip);
    drop(start.variable("DOCKER_LAUNCH_DNS", "10.0.2.6").running());
    assert_eq!(root.read(RESOLV_CONF), "nameserver 10.0.2.6\n");
}

/// Docker binds its own file there.
fn a_resolv_conf_that_is_mounted_is_written_in_place() {
    let root = Root::new();
    root.file("/outer", "nameserver 127.0.0.11\noptions ndots:0\n")
        .file(RESOLV_CONF, "under\n");
    let outer = root.path("/outer").metadata().unwrap().ino();
    let mounted = Before::bind(root.path("/outer"), RESOLV_CONF);
    let daemon = root
        .container()
        .before(mounted)
        .variable("DOCKER_LAUNCH_DNS", "10.0.2.3")
        .running();
    assert_eq!(daemon.read(RESOLV_CONF), "nameserver 10.0.2.3\n");
    assert_eq!(daemon.path(RESOLV_CONF).metadata().unwrap().ino(), outer);
    assert_eq!(root.read(RESOLV_CONF), "under\n");
    assert!(
        !root
            .tree()
            .keys()
            .any(|path| path.to_str().unwrap().contains(".dockerlaunch"))
    );
}

fn without_a_setting_resolv_conf_is_left() {
    let root = Root::new();
    root.file(RESOLV_CONF, "mine\n");
    drop(root.machine().running());
    assert_eq!(root.read(RESOLV_CONF), "mine\n");
    let root = Root::new();
    drop(root.machine().running());
    assert!(!root.path(RESOLV_CONF).exists());
}

/// Every user needs the name servers, so the umask must not matter.
fn everybody_may_read_resolv_conf() {
    let root = Root::new();
    drop(
        root.machine()
            .before(Before::Umask(0o077))
            .variable("DOCKER_LAUNCH_DNS", "10.0.2.3")
            .running(),
    );
    assert_eq!(mode(&root.path(RESOLV_CONF)), 0o644);
}

/// `docker run --read-only` makes this; an earlier launch has made the rest of the layout.
fn a_mounted_resolv_conf_below_a_read_only_root_is_written() {
    let root = Root::new();
    root.file("/outer", "old\n")
        .file(RESOLV_CONF, "under\n")
        .directory("/dev")
        .directory("/proc");
    drop(root.container().running());
    let start = root
        .container()
        .before(Before::bind(root.path("/outer"), RESOLV_CONF));
    let start = start.before(Before::ReadOnly { at: "/".into() });
    let daemon = start.variable("DOCKER_LAUNCH_DNS", "10.0.2.3").running();
    assert_eq!(daemon.read(RESOLV_CONF), "nameserver 10.0.2.3\n");
}

fn a_resolv_conf_that_cannot_be_replaced_leaves_no_temporary_file() {
    let root = Root::new();
    root.directory(RESOLV_CONF);
    let start = root.container().variable("DOCKER_LAUNCH_DNS", "10.0.2.3");
    let daemon = start.running();
    let line = "dockerlaunch: warning: network /etc/resolv.conf: is a directory (EISDIR)\n";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    assert!(
        !root
            .tree()
            .keys()
            .any(|path| path.to_str().unwrap().contains(".dockerlaunch"))
    );
}
