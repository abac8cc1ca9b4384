//! Starts the daemon and the program of DOCKER_LAUNCH_READY: children in their own sessions, with the signal mask and
//! dispositions that this process was started with.

use super::Supervisor;
use crate::{
    error::Step,
    kernel::{children, notify::DAEMON},
    launch::{Context, Outcome},
    steps::{daemon, environment},
    sys,
};

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

    /// Called once, when the engine is ready for the first time. Nothing waits for its end: it may run for any time.
    #[inline(never)]
    pub(super) fn run_ready_program(&mut self) {
        let path = self.launch.settings.ready;
        match environment::start(self.launch, self.command, path, &[path], c"") {
            Ok(child) => self.ready_program = Some(child),
            Err(errno) => self.launch.warn_of(Step::Exec, path.to_bytes(), errno),
        }
    }
}
