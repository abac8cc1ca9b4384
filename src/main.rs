//! The program: reads its arguments and environment and starts a launch. A failure is logged in one line and decides the exit
//! status.
#![no_std]
#![no_main]

mod memory;
mod start;

use core::ffi::CStr;
use dockerlaunch::{
    Ended, Settings, Strings, block_signals, check, fail, launch_program, lease, open_console,
};

const VERSION: &str = concat!(
    "dockerlaunch ",
    env!("DOCKERLAUNCH_VERSION"),
    "\nfeatures: ",
    env!("DOCKERLAUNCH_FEATURES"),
    "\n"
);
const HELP: &str = "\
Usage: dockerlaunch [--help | --version | --check | --check=json] [DAEMON] [ARG...]

Prepares the system that a kernel or a privileged container starts it on, and
runs DAEMON: a path, or a name in PATH; dockerd if there is none. As the kernel's
PID 1 it supervises DAEMON, in a container it becomes DAEMON.
After -- all arguments are DAEMON's. On a kernel command line:

  init=/usr/bin/dockerlaunch panic=10 DOCKER_LAUNCH_DEBUG=true -- --debug

--check lists what DAEMON needs with these arguments, what is missing, and what
the kernel has. It changes nothing, and exits with 1 if a requirement is missing.

Settings, in the environment or on the kernel command line: DOCKER_LAUNCH_ and
  DEBUG AS CGROUP MODULES IP DNS HOSTNAME
  REAP PREREQUISITES STATE STATE_FORMAT READY ON_EXIT ON_FAILURE SHUTDOWN_TIMEOUT
For a wrong value the allowed ones are printed.

Exit status: 127 daemon not found, 126 not executable, 125 a step failed,
2 usage or settings, 1 neither the machine's PID 1 nor a container; supervising
in a container: DAEMON's own, or 128 and the signal that killed it.
";

/// `_start` calls it and exits with the status that it returns.
fn main(mut arguments: Strings<'static>, environment: Strings<'static>) -> u8 {
    if let Some(status) = lease(arguments, environment) {
        return status;
    }
    let mut rest = arguments;
    match rest.next().map(CStr::to_bytes) {
        Some(b"--help") => return start::print(1, HELP),
        Some(b"--version") => return start::print(1, VERSION),
        Some(b"--") => arguments = rest,
        Some(first) if first == b"--check" || first.starts_with(b"--check=") => {
            let option = arguments.next().unwrap_or_default();
            return check(option, arguments, environment);
        }
        _ => {}
    }
    let mut settings = Settings::default();
    settings.is_program = true;
    block_signals(&mut settings); // first: a signal that arrives from here on is obeyed
    open_console(&mut settings);
    match launch_program(arguments, environment, &mut settings) {
        Ok(Ended { status, .. }) => status,
        Err(error) => fail(&settings, &error),
    }
}
