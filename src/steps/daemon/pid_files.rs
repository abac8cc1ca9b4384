//! Stale pid files of an earlier daemon: with one, dockerd refuses to start, or takes another process for its containerd.

use crate::{
    docker::{command::Command, config::Config},
    error::Step,
    fs::{self, Lookup},
    launch::{Context, Launch, Outcome},
    text::{Decimal, Text, number, trim},
};
use core::ffi::CStr;
use rustix::{
    fs::unlink,
    io::{Errno, Result},
};

/// Removes the files of an earlier daemon, where the configuration that this start will read has them; called before every
/// start.
pub(crate) fn remove_stale_files(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    let config = Config::read(launch, command)?;
    let programs = [command.name(), b"dockerd"];
    remove_stale(launch, config.pid_file.as_c_str(), &programs)?;
    let containerd = fs::path(&[config.exec_root.as_bytes(), b"/containerd/containerd.pid"]);
    remove_stale(launch, containerd.as_c_str(), &[b"containerd"])
}

/// A pid file is stale if it names PID 1, which this process is or was, or a process that is none of `programs` (the
/// daemon's argument may be a script that execs dockerd) or has another root (`docker run --pid=host` shows the processes
/// of every container).
fn remove_stale(launch: &Launch<'_>, file: &CStr, programs: &[&[u8]]) -> Outcome<()> {
    let mut buffer = [0; 64];
    let pid = match fs::read_small(file, &mut buffer) {
        Ok(contents) => number(trim(contents)),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        // Too long for a number, so nobody can use it.
        Err(Errno::FBIG) => None,
        Err(errno) => return Err(errno).at(launch, Step::Daemon, file),
    };
    if let Some(pid) = pid
        && pid != 1
    {
        let lives = is_one_of(pid, programs).and_then(|runs| Ok(runs && has_own_root(pid)?));
        // If it is unclear the file stays: its daemon may be running.
        if lives.or_warn(launch.log, Step::Daemon, file) != Some(false) {
            return Ok(());
        }
    }
    launch
        .log
        .line("removed the stale pid file {}", &[file.to_bytes()]);
    unlink(file).at(launch, Step::Daemon, file)
}

/// Whether the process is one of `programs`. The kernel keeps the first 15 bytes of a name.
fn is_one_of(pid: u64, programs: &[&[u8]]) -> Result<bool> {
    let mut buffer = [0; 64];
    let comm = of_process(pid, b"/comm");
    let name = match fs::read_small(comm.as_c_str(), &mut buffer).if_exists() {
        Ok(Some(name)) => trim(name),
        // The process is just ending.
        Ok(None) | Err(Errno::SRCH) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let is = |name: &[u8], program: &[u8]| name == program.get(..15).unwrap_or(program);
    Ok(programs.iter().any(|program| is(name, program)))
}

fn of_process(pid: u64, file: &[u8]) -> Text<40> {
    Text::fitting(&[b"/proc/", Decimal::new(pid).as_bytes(), file])
}

/// Whether the process has the same root as this one.
fn has_own_root(pid: u64) -> Result<bool> {
    let root = of_process(pid, b"/root");
    let (its, own) = (fs::stat(root.as_c_str()).if_exists()?, fs::stat(c"/")?);
    Ok(its.is_some_and(|its| (its.st_dev, its.st_ino) == (own.st_dev, own.st_ino)))
}
