//! Starting the daemon and the program of DOCKER_LAUNCH_READY: children in sessions of their own, with the signals that this
//! process was started with.

use super::{Supervisor, readiness};
use crate::{
    error::Step,
    launch::{Context, Outcome},
    steps::daemon::{self, Made},
    sys::{self, ExecArray},
};
use core::convert::Infallible;
use rustix::{
    fd::{AsFd, OwnedFd},
    io::{Errno, fcntl_dupfd_cloexec, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
    process::setsid,
};

/// How long the kernel may take to read a program, in seconds.
const EXEC: u64 = 60;

impl Supervisor<'_> {
    /// Starts the daemon; an error if it cannot be executed.
    #[inline(never)]
    pub(super) fn start(&mut self) -> Outcome<()> {
        daemon::remove_stale_files(self.launch, self.command)?;
        let path = self.command.path();
        let path = path.as_c_str();
        let (reads, writes) = pipe_with(PipeFlags::CLOEXEC).at(self.launch, Step::Exec, path)?;
        // Out of the way of the descriptors that are handed over.
        let writes = fcntl_dupfd_cloexec(writes, 64).at(self.launch, Step::Exec, path)?;
        let Some(child) = sys::fork().at(self.launch, Step::Exec, path)? else {
            self.in_child(&writes)
        };
        drop(writes);
        self.started = sys::since_boot();
        let mut errno = [0; 4];
        self.daemon = Some(child);
        let deadline = self.started + EXEC * 1000;
        let told = self.launch.requests.wait(reads.as_fd(), deadline);
        match told.and_then(|()| retry_on_intr(|| read(&reads, &mut errno))) {
            Ok(4) => {
                // It ends by itself, and is reaped as any other child.
                self.daemon = None;
                let errno = Errno::from_raw_os_error(i32::from_ne_bytes(errno));
                Err(errno).at(self.launch, Step::Exec, path)
            }
            Err(errno) if errno != Errno::CANCELED => {
                self.launch.warn_of(Step::Exec, path.to_bytes(), errno);
                Ok(())
            }
            // It runs; or it is to end, whether it runs or not.
            _ => Ok(()),
        }
    }

    /// Becomes the daemon, or tells through the pipe why not: that closes with exec.
    fn in_child(&self, writes: &OwnedFd) -> ! {
        let _ = setsid();
        self.launch.requests.restore();
        let errno = daemon::exec(
            self.launch,
            self.command,
            self.prepared,
            Some(readiness::VARIABLE),
        );
        if write(writes, &errno.raw_os_error().to_ne_bytes()).is_err() {
            // Linux 5.10 has closed it.
            let path = self.command.path();
            self.launch.warn_of(Step::Exec, path.as_bytes(), errno);
        }
        sys::exit(126)
    }

    /// Once, when the engine answers first. Nothing waits for it: it may run as long as it likes.
    #[inline(never)]
    pub(super) fn run_ready_program(&mut self) {
        let path = self.launch.settings.ready;
        match sys::fork() {
            Ok(Some(child)) => self.ready_program = Some(child),
            Err(errno) => {
                self.launch.warn_of(Step::Exec, path.to_bytes(), errno);
            }
            Ok(None) => {
                let _ = setsid();
                self.launch.requests.restore();
                sys::close_on_exec_from(3);
                let executed = || {
                    let mut made = Made::new();
                    let (role, command) = (self.launch.role, self.command);
                    let environment =
                        daemon::environment(&mut made, role, command, (0, false), Some(c""))?;
                    let words = ExecArray::of(&[path])?;
                    Err::<Infallible, _>(sys::execve(path, &words, &environment))
                };
                let Err(errno) = executed();
                self.launch.warn_of(Step::Exec, path.to_bytes(), errno);
                sys::exit(126)
            }
        }
    }
}
