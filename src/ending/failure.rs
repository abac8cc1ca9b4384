//! What the machine's PID 1 does when the launch fails (DOCKER_LAUNCH_ON_FAILURE): it logs the reason, then acts.
//!
//! If the action fails, the result is that of `panic`: PID 1 ends, the kernel panics, and its `panic=N` decides what
//! follows.

use crate::{
    docker::command::DEFAULT_PATH,
    ending::reboot,
    error::{Error, Step},
    fs::{self, Lookup},
    kernel::requests::{self, EndRequest},
    launch::role::find_role,
    settings::{OnFailure, Role, Settings},
    steps::mounts::{drain_console, mount_devices},
    sys::{self, ExecArray},
};
use core::{convert::Infallible, ffi::CStr};
use rustix::{
    fd::AsFd,
    fs::{Mode, OFlags, open},
    io::{Errno, Result},
    process::{getpid, ioctl_tiocsctty, setsid},
    system::RebootCommand,
};

const CONSOLE: &CStr = c"/dev/console";
/// The first that exists is used: a launch that failed early has not linked /bin yet.
const SHELLS: [&CStr; 2] = [c"/bin/sh", c"/usr/bin/sh"];

/// Logs the reason and does what the settings say. Returns the exit status, if the program has to end.
#[inline(never)]
pub fn fail(settings: &Settings<'_>, error: &Error) -> u8 {
    settings.report(error);
    let obeyed = obey(settings).or_else(|| {
        if settings.on_failure != OnFailure::Panic && is_machine(settings) {
            act(settings);
        }
        drain_console(settings);
        obey(settings)
    });
    obeyed.unwrap_or(error.exit_status())
}

/// A shutdown that was requested until now takes precedence over the settings. Returns the exit status.
fn obey(settings: &Settings<'_>) -> Option<u8> {
    if !requests::are_pending() {
        return None; // finding the role would touch the system
    }
    let role = if is_machine(settings) {
        Role::Machine
    } else {
        Role::Container
    };
    let end_request = requests::end_request(role)?;
    let log = settings.as_log();
    end_request.log(log);
    if role == Role::Machine
        && let (Some(command), word) = end_request.command()
    {
        reboot::clean_up(log);
        reboot::end(settings, command, word);
    }
    Some(end_request.status())
}

/// Finds the role again: wrong settings are reported before the role is known.
fn is_machine(settings: &Settings<'_>) -> bool {
    getpid().is_init() && matches!(find_role(settings), Ok((Role::Machine, _)))
}

fn act(settings: &Settings<'_>) {
    let log = settings.as_log();
    let (command, word) = match settings.on_failure {
        OnFailure::Panic => return,
        OnFailure::PowerOff => (RebootCommand::PowerOff, "power off after this failure"),
        OnFailure::Reboot => (RebootCommand::Restart, "reboot after this failure"),
        OnFailure::Shell => {
            let is_there = |path: &&&CStr| {
                let there = fs::executable(path).if_exists_or_warn(log, Step::Exec, path);
                there.is_some()
            };
            let found = SHELLS.iter().find(is_there);
            let Some(path) = found else {
                log.warning("there is no shell: neither /bin/sh nor /usr/bin/sh", &[]);
                return;
            };
            // Descriptors 0 to 2 may work without /dev, but the shell opens /dev/console.
            mount_devices();
            log.line(
                "a shell is on the console; when it ends, the machine reboots",
                &[],
            );
            match shell(settings, path) {
                Ok(None) => (RebootCommand::Restart, "reboot after the shell"),
                Ok(Some(end_request)) => {
                    end_request.log(log);
                    let (command, word) = end_request.command();
                    (command.unwrap_or(RebootCommand::Restart), word)
                }
                Err(errno) => {
                    settings.report(&Error::new(Step::Exec, path.to_bytes(), errno));
                    return;
                }
            }
        }
    };
    reboot::clean_up(log);
    reboot::end(settings, command, word);
}

/// Runs a root shell until it ends or a shutdown is requested.
fn shell(settings: &Settings<'_>, path: &CStr) -> Result<Option<EndRequest>> {
    let Some(shell) = sys::fork()? else {
        requests::restore(settings);
        let errno = become_shell(path).err().unwrap_or(Errno::INVAL);
        settings.report(&Error::new(Step::Exec, path.to_bytes(), errno));
        sys::exit(126)
    };
    requests::until_ended(shell)
}

/// Executes the shell with the console as its controlling terminal, so that job control and Ctrl-C work.
fn become_shell(path: &CStr) -> Result<Infallible> {
    setsid()?;
    let console = open(CONSOLE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    ioctl_tiocsctty(&console)?;
    for number in 0..=2 {
        sys::duplicate_to(console.as_fd(), number)?;
    }
    let arguments = ExecArray::of(&[path])?;
    let environment = ExecArray::of(&[DEFAULT_PATH, c"HOME=/root", c"TERM=linux"])?;
    Err(sys::execve(path, &arguments, &environment))
}
