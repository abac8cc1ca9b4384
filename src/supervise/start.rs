//! Starts the daemon and the program of DOCKER_LAUNCH_READY: children in their own sessions, with the signal mask and
//! dispositions that this process was started with.

use super::Supervisor;
use crate::{
    error::Step,
    kernel::{children, notify::DAEMON},
    launch::{Context, Outcome},
    steps::{
        daemon,
        environment::{self, Composed},
    },
    sys::{self, ExecArray},
};
use core::convert::Infallible;
use rustix::process::setsid;

impl Supervisor<'_> {
    /// Starts the daemon. Returns an error if it cannot be executed.
    #[inline(never)]
    pub(super) fn start(&mut self) -> Outcome<()> {
        let (launch, command) = (self.launch, self.command);
        daemon::remove_stale_files(launch, command)?;
        let path = command.path();
        let path = path.as_c_str();
        let flag = self.containerd.as_ref().map(|beside| beside.flag());
        let notify = Some(DAEMON.variable);
        let mut exec = || daemon::exec(launch, command, self.prepared, notify, flag);
        let late = |errno| launch.warn_of(Step::Exec, path.to_bytes(), errno);
        self.started = sys::since_boot();
        let child = children::execute(&launch.requests, &mut exec, &late);
        self.daemon = Some(child.at(launch, Step::Exec, path)?);
        Ok(())
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
                        environment::compose(&mut texts, role, command, (0, false), Some(c""))?;
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
