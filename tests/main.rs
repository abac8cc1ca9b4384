//! The built program as PID 1 of fresh namespaces, and the promises about its source. One file a behaviour:
mod cgroups; // a /proc/cgroups full of rubbish
mod floors; // the source: which file may use which, unsafe code, length
mod layout; // directories, links and files with their modes; defaults of /usr/etc; a second launch changes nothing
mod library; // a std program that is PID 1 calls the library
mod limits; // resource limits, the out-of-memory score, descriptors
mod log; // what is said, and when
mod modules; // what modprobe is asked for, and what is said when it fails
mod mounts; // the early mounts, their flags and sharing; what is mounted stays; links in /dev
mod network; // lo, address, route, host name, name servers
mod pid_files; // stale pid files are removed, others stay
mod program; // the built program: static, W^X, without core::fmt
mod refusals; // bad input: the exact line, the exit status, nothing touched
mod role; // the machine, a container, or neither
mod settings; // each wrong value, each that is not built
mod socket; // socket activation: /run/docker.sock as descriptor 3, inherited sockets
mod supervise_signals; // what a signal to PID 1 means, on the machine and in a container
mod unprivileged; // in a user namespace
mod words; // which daemon, its words, its environment

// What they share:
mod engine; // a daemon that does what its words say, and writes down what happens to it
mod root; // the images they start in
mod running; // a program that is being started, that runs, or that has ended
mod stand_ins; // what the test binary is inside the namespaces
mod util; // roots, namespaces, what a test needs

use libtest_mimic::{Arguments, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(status) = stand_ins::run() {
        return status;
    }
    let tests = [
        cgroups::tests(),
        floors::tests(),
        layout::tests(),
        library::tests(),
        limits::tests(),
        log::tests(),
        modules::tests(),
        mounts::tests(),
        network::tests(),
        pid_files::tests(),
        program::tests(),
        refusals::tests(),
        role::tests(),
        settings::tests(),
        socket::tests(),
        supervise_signals::tests(),
        unprivileged::tests(),
        words::tests(),
    ];
    run(
        &Arguments::from_args(),
        tests.into_iter().flatten().collect(),
    )
    .exit_code()
}
