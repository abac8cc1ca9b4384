//! The built program as PID 1 of fresh namespaces, and the promises about its source.
//!
//! No test depends on what an earlier run, an engine or a hand has left on the machine. What they take from it:
//!
//! | of the machine | how a test is kept from depending on it |
//! | --- | --- |
//! | cgroup v2: which controllers are handed on | hierarchy.rs turns one on and off again; g1_… runs the tests in both states |
//! | the tester's own cgroup | containers get it read-only; `Ended::said` knows the one line that follows |
//! | cgroup v1: which controllers there are | cgroups.rs binds /proc/cgroups; one is mounted, or named as refused |
//! | loaded modules, br_netfilter, AppArmor | `Start::without_modules` hides them in each container; modules.rs makes those it wants |
//! | modules that a launch as the machine misses | `Ended::said` knows the one line that names them |
//! | mount options of its kernel and its init | mountinfo.rs leaves out those that nobody has asked for |
//! | file systems that its kernel has | mounts.rs reads /proc/filesystems for those that are optional |
//! | devtmpfs, of which there is one | launches as the machine make places and links there, as every init does; one test has its own |
//! | memory | memory.rs reads /proc/meminfo |
//! | network, host name, processes, IPC | fresh namespaces |
//! | sysctls that forbid user namespaces | `Needs::UserNamespaces`: ignored |
//! | rights | `Needs::Root` asks for the capability; what fails with it has failed |
//! | packages: file systems' tools, fdisk | `Needs::State`, `Needs::FileSystems`: ignored |
//! | packages: coreutils and procps | every machine that builds has them: cp, sleep, kill |
//! | cargo's cache | programs of other features are built --offline, from what this test was built from |
//! | environment | cleared, but for PATH where programs are looked for, CI, and DOCKERLAUNCH_… |
//!
//! One file a behaviour:
mod addresses; // static addresses of the kernel command line
mod amounts; // many arguments and variables
mod as_dockerd; // arguments and daemon.json in odd spellings
mod bridge; // -b NAME --bip: the bridge is made, --bip is not passed on
mod cgroup_layouts; // cgroups that are mounted already; v1 where memory is only there
mod cgroups; // a /proc/cgroups full of rubbish
mod check; // --check: what it tells, and that it changes nothing
mod check_data_root; // on which file system images would lie; a daemon.json that cannot be read
mod check_forms; // lines for a person, and JSON
mod check_kernel; // what it tells of the kernel and the data root
mod covered; // what is mounted stays visible
mod dhcp; // a lease from a real server
mod disk_contents; // what a disk is, judged from everything on it
mod disk_members; // a file system on several devices
mod disk_names; // names of the kernel's root= and of udev's links
mod errnos; // an errno is never taken for an absence
mod failure; // what follows when the machine's PID 1 cannot launch
mod features; // the program has the Cargo features that it was built with
mod floors; // the source: which file may use which, unsafe code, length
mod held_log; // a log that takes nothing
mod held_log_pid_1; // the same, of PID 1
mod hierarchy; // cgroup v2 of the machine, as a fresh boot and as a used machine have it
mod iptables; // nft or legacy
mod ipv6; // IPv6 addresses, and routes that a router advertises
mod kernel_ip; // ip= words of the kernel, dhcp, /proc/net/pnp
mod kernel_line; // the kernel command line: quotes, dashes, length
mod layout; // directories, links and files with their modes; defaults of /usr/etc; a second launch changes nothing
mod leases; // what a DHCP server offers, several cards
mod library; // a std program that is PID 1 calls the library
mod limits; // resource limits, the out-of-memory score, descriptors
mod log; // what is said, and when
mod memory; // how much of it a read-only root may take
mod modules; // what modprobe is asked for, and what is said when it fails
mod mountinfo; // options that the machine adds are not compared
mod mounts; // the early mounts, their flags and sharing; what is mounted stays; links in /dev
mod names; // the host name and resolv.conf, where they cannot be had
mod nesting; // a container's cgroup v2: what moves to /init, and what stays
mod network; // lo, address, route, host name, name servers
mod not_files; // a FIFO, a device, a terabyte in place of a file
mod optional; // what cannot be written and Docker can do without
mod pid_files; // stale pid files are removed, others stay
mod prerequisites; // what Docker needs: each with and without it, and what is done
mod prerequisites_choices; // the daemon's flags and daemon.json decide what is needed
mod prerequisites_places; // where programs and certificates are looked for
mod program; // the built program: static, W^X, without core::fmt
mod read_only; // a root that cannot be written: its directories in memory, the image unaltered
mod readme; // README and its pages: length, links, the program's own table
mod refusals; // bad input: the exact line, the exit status, nothing touched
mod repair; // empty JSON files are set aside
mod results; // the source: no result is dropped without a reason
mod role; // the machine, a container, or neither
mod settings; // each wrong value, each that is not built
mod socket; // socket activation: /run/docker.sock as descriptor 3, inherited sockets
mod state; // the state disk: found, blank, marked, strange, late
mod state_blank; // what counts as blank
mod state_formats; // the same of xfs, btrfs, erofs and squashfs
mod supervise_cost; // memory, and descriptors after a thousand restarts
mod supervise_early; // a signal that arrives while the launch goes on
mod supervise_end; // what is left of the daemon, file systems, orphans, another's PID namespace
mod supervise_races; // a daemon that dies at the worst moment
mod supervise_ready; // only the daemon's own word counts; the program of DOCKER_LAUNCH_READY
mod supervise_restart; // a daemon that ends by itself: policies, statuses, clients that wait
mod supervise_signals; // what a signal to PID 1 means, on the machine and in a container
mod unmounting; // the end: every mount, in order, once; a child that fails, dies or hangs
mod unprivileged; // in a user namespace
mod words; // which daemon, its words, its environment
mod writes; // how files are written: aside, durable, renamed

// What they share:
mod calls; // the system calls by which a launch changes files
mod disks; // disks that are images
mod engine; // a daemon that does what its words say, and writes down what happens to it
mod faults; // system calls that fail
mod root; // the images they start in
mod router; // the other end of a cable: an IPv6 router, a DHCP server
mod rtnetlink; // interfaces and addresses of the network namespaces
mod running; // a program that is being started, that runs, or that has ended
mod stand_ins; // what the test binary is inside the namespaces
mod tracer; // the system calls of a program that runs
mod util; // roots, namespaces, what a test needs

use libtest_mimic::{Arguments, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(status) = stand_ins::run() {
        return status;
    }
    let tests = [
        addresses::tests(),
        amounts::tests(),
        as_dockerd::tests(),
        bridge::tests(),
        cgroups::tests(),
        cgroup_layouts::tests(),
        check::tests(),
        check_data_root::tests(),
        check_forms::tests(),
        check_kernel::tests(),
        dhcp::tests(),
        errnos::tests(),
        covered::tests(),
        disk_contents::tests(),
        disk_members::tests(),
        disk_names::tests(),
        failure::tests(),
        features::tests(),
        floors::tests(),
        held_log::tests(),
        held_log_pid_1::tests(),
        hierarchy::tests(),
        iptables::tests(),
        ipv6::tests(),
        kernel_ip::tests(),
        kernel_line::tests(),
        layout::tests(),
        leases::tests(),
        library::tests(),
        limits::tests(),
        log::tests(),
        modules::tests(),
        memory::tests(),
        mountinfo::tests(),
        mounts::tests(),
        names::tests(),
        nesting::tests(),
        network::tests(),
        not_files::tests(),
        optional::tests(),
        pid_files::tests(),
        prerequisites::tests(),
        prerequisites_choices::tests(),
        prerequisites_places::tests(),
        program::tests(),
        read_only::tests(),
        readme::tests(),
        refusals::tests(),
        repair::tests(),
        results::tests(),
        role::tests(),
        settings::tests(),
        socket::tests(),
        state::tests(),
        state_blank::tests(),
        state_formats::tests(),
        supervise_cost::tests(),
        supervise_early::tests(),
        supervise_end::tests(),
        supervise_races::tests(),
        supervise_ready::tests(),
        supervise_restart::tests(),
        supervise_signals::tests(),
        unmounting::tests(),
        unprivileged::tests(),
        words::tests(),
        writes::tests(),
    ];
    run(
        &Arguments::from_args(),
        tests.into_iter().flatten().collect(),
    )
    .exit_code()
}
