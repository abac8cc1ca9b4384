//! Starts the daemon and the program of DOCKER_LAUNCH_READY: children in their own sessions, with the signal mask and
//! dispositions that this process was started with.

use super::{Supervisor, readiness};
use crate::{
    error::Step,
    launch::{Context, Outcome},
    steps::daemon::{self, Composed},
    sys::{self, ExecArray},
};
use core::convert::Infallible;
use rustix::{
    fd::{AsFd, OwnedFd},
    io::{Errno, fcntl_dupfd_cloexec, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
    process::setsid,
};

/// How long exec may take to read the program, in seconds.
const EXEC: u64 = 60;

impl Supervisor<'_> {
    /// Starts the daemon. Returns an error if it cannot be executed.
    #[inline(never)]
    pub(super) fn start(&mut self) -> Outcome<()> {
        daemon::remove_stale_files(self.launch, self.command)?;
        let path = self.command.path();
        let path = path.as_c_str();
        let (reads, writes) = pipe_with(PipeFlags::CLOEXEC).at(self.launch, Step::Exec, path)?;
        // Above the descriptors that are passed on.
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
                // The child ends by itself, and is reaped like any other.
                self.daemon = None;
                let errno = Errno::from_raw_os_error(i32::from_ne_bytes(errno));
                Err(errno).at(self.launch, Step::Exec, path)
            }
            Err(errno) if errno != Errno::CANCELED => {
                self.launch.warn_of(Step::Exec, path.to_bytes(), errno);
                Ok(())
            }
            // The daemon runs, or a shutdown was requested.
            _ => Ok(()),
        }
    }

    /// Executes the daemon. On failure it writes the errno to the pipe, which exec would have closed.
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
            // Linux 5.10 has closed the pipe.
            let path = self.command.path();
            self.launch.warn_of(Step::Exec, path.as_bytes(), errno);
        }
        sys::exit(126)
    }

    /// Called once, when the engine is ready for the first time. Nothing waits for the program: it may run for any time.
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
                    let mut texts = Composed::new();
                    let (role, command) = (self.launch.role, self.command);
                    let environment =
                        daemon::environment(&mut texts, role, command, (0, false), Some(c""))?;
                    let arguments = ExecArray::of(&[path])?;
                    Err::<Infallible, _>(sys::execve(path, &arguments, &environment))
                };
                let Err(errno) = executed();
                self.launch.warn_of(Step::Exec, path.to_bytes(), errno);
                sys::exit(126)
            }
        }
    }
}
