//! The tests run the built program as PID 1 of fresh namespaces, and check the promises about its source.
//!
//! No test depends on what an earlier run, an engine or a person has left on the machine. What tests use of it:
//!
//! | of the machine | what keeps tests from depending on it |
//! | --- | --- |
//! | cgroup v2: which controllers are enabled at its root | hierarchy.rs enables one and disables it again; g1_… runs the tests in both states |
//! | the tester's own cgroup | containers get it read-only; `Ended::said` drops the one line that this causes |
//! | cgroup v1: which controllers exist | cgroups.rs binds /proc/cgroups; a controller is mounted, or reported as refused |
//! | loaded modules, br_netfilter, AppArmor | `Start::without_modules` hides them in each container; modules.rs makes the ones it needs |
//! | modules that a launch as the machine reports as missing | `Ended::said` drops the one line that names them |
//! | mount options added by its kernel and its init | mountinfo.rs leaves out options that the program did not ask for |
//! | file systems of its kernel | mounts.rs reads /proc/filesystems for the optional ones |
//! | devtmpfs, of which there is one | launches as the machine make mount points and links there, as every init does; one test has its own |
//! | memory | memory.rs reads /proc/meminfo |
//! | network, host name, processes, IPC | fresh namespaces |
//! | sysctls that forbid user namespaces | `Needs::UserNamespaces`: ignored |
//! | rights | `Needs::Root` checks the capability; with it, any error is a failure |
//! | packages: file systems' tools, fdisk | `Needs::State`, `Needs::FileSystems`: ignored |
//! | packages: coreutils and procps | every machine that can build has them: cp, sleep, kill |
//! | cargo's cache | programs with other features are built --offline, from the dependencies of these tests |
//! | environment | cleared, except PATH to look for programs, CI, and DOCKERLAUNCH_… |
//!
//! One file for each behaviour:
mod addresses; // static addresses of the kernel command line
mod amounts; // many arguments and variables
mod arguments; // which daemon, its arguments, its environment
mod as_dockerd; // unusual spellings of arguments and of daemon.json
mod bridge; // -b NAME --bip: the launch makes the bridge and drops --bip
mod call_counts; // how many system calls a launch takes
mod cgroup_layouts; // cgroups that are mounted before the launch; v1 if only v1 has memory
mod cgroups; // invalid lines in /proc/cgroups
mod check; // --check: what it reports, and that it changes nothing
mod check_data_root; // the file system of the data root; a daemon.json that cannot be read
mod check_forms; // lines for people, and JSON
mod check_kernel; // what it reports about the kernel and the data root
mod covered; // existing mounts stay visible
mod dhcp; // a lease from a real server
mod disk_contents; // what a disk is, judged by everything on it
mod disk_members; // file systems on several devices
mod disk_names; // names of the kernel's root= and of udev's links
mod errnos; // an errno is never taken for an absence
mod failure; // what follows if the machine's PID 1 cannot launch
mod features; // the program has the Cargo features that it was built with
mod floors; // the source: which room uses which, unsafe code, length
mod held_log; // a log that accepts no output
mod held_log_pid_1; // the same, of PID 1
mod hierarchy; // the cgroup v2 of the machine, with controllers enabled and without
mod iptables; // which variant the daemon finds: nft or legacy
mod ipv6; // IPv6 addresses, and routes that a router advertises
mod kernel_ip; // ip= words of the kernel command line, DHCP, /proc/net/pnp
mod kernel_line; // the kernel command line: quotes, dashes, length
mod layout; // directories, links and files with their modes; defaults of /usr/etc; a second launch changes nothing
mod leases; // what a DHCP server offers; several cards
mod library; // a std program that is PID 1 calls the library
mod limits; // resource limits, the out-of-memory score, descriptors
mod log; // what is logged, and when
mod memory; // how much of it a read-only root may take
mod modules; // the arguments of modprobe, and what is logged if it fails
mod mountinfo; // mounts, without the options that the machine adds
mod mounts; // the early mounts, their flags and propagation; existing mounts stay; links in /dev
mod names; // the host name and resolv.conf, if they cannot be set
mod nesting; // a container's cgroup v2: which processes move to /init, and which stay
mod network; // lo, address, route, host name, name servers
mod not_files; // a FIFO, a device, a terabyte in place of a file
mod optional; // files that cannot be written and that Docker does not need
mod pages; // quotes, steps and rooms in the pages
mod pid_files; // stale pid files are removed, others stay
mod prerequisites; // what Docker needs: every item present and missing, and what follows
mod prerequisites_choices; // the daemon's flags and daemon.json decide what is needed
mod prerequisites_places; // where the check looks for programs and certificates
mod program; // the built program: static, W^X, without core::fmt
mod read_only; // a read-only root: directories in memory, the image unchanged
mod readme; // README and its pages: length, links, the program's own table
mod refusals; // bad input: the exact line, the exit status, no change
mod repair; // empty JSON files are set aside
mod results; // the source: no result is dropped without a reason
mod role; // the machine, a container, or neither
mod settings; // each wrong value, each setting that this build lacks
mod socket; // socket activation: /run/docker.sock as descriptor 3, inherited sockets
mod state; // the state disk: found, blank, marked, unknown, late
mod state_blank; // what counts as blank
mod state_formats; // the same of xfs, btrfs, erofs and squashfs
mod supervise_cost; // memory, and descriptors after a thousand restarts
mod supervise_early; // a signal that arrives during the launch
mod supervise_end; // processes that the daemon leaves, file systems, orphans, a foreign PID namespace
mod supervise_races; // a daemon that dies at the worst moment
mod supervise_ready; // only the daemon's own notification counts; the program of DOCKER_LAUNCH_READY
mod supervise_restart; // a daemon that ends by itself: policies, statuses, clients that wait
mod supervise_signals; // what a signal to PID 1 means, on the machine and in a container
mod unmounting; // the end: every mount, in order, once; a child that fails, dies or hangs
mod unprivileged; // in a user namespace
mod writes; // how files are written: temporary file, sync, rename

// What the tests share:
mod calls; // the system calls by which a launch changes files
mod disks; // disks that are image files
mod engine; // a daemon that does what its arguments say, and writes down what happens to it
mod faults; // system calls that fail
mod root; // the images in which programs start
mod router; // the other end of a cable: an IPv6 router, a DHCP server
mod rtnetlink; // interfaces and addresses of the network namespaces
mod running; // a program that will start, that runs, or that has ended
mod stand_ins; // the other programs that the test binary is
mod tracer; // the system calls of a running program
mod util; // namespaces, and what a test needs

use libtest_mimic::{Arguments, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(status) = stand_ins::run() {
        return status;
    }
    let tests = [
        addresses::tests(),
        amounts::tests(),
        arguments::tests(),
        as_dockerd::tests(),
        bridge::tests(),
        call_counts::tests(),
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
        pages::tests(),
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
        writes::tests(),
    ];
    run(
        &Arguments::from_args(),
        tests.into_iter().flatten().collect(),
    )
    .exit_code()
}
