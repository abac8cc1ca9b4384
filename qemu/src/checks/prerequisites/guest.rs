//! The guest's own file system, through a privileged container: commands run in it, files are taken away and put back.

use anyhow::{Result, ensure};
use bollard::models::HostConfig;

use crate::{
    checks::engine::with,
    engine::{Engine, Ran},
};

/// The guest's root in the container.
const ROOT: &str = "/guest";

/// A privileged container in the guest's network, and what it can do.
pub(crate) struct Guest<'a> {
    engine: &'a Engine,
    container: String,
}

/// Puts the file back.
pub(super) struct Away<'a> {
    guest: &'a Guest<'a>,
    file: &'a str,
}

impl<'a> Guest<'a> {
    /// Starts the container.
    pub(super) fn new(engine: &'a Engine) -> Result<Self> {
        let body = with(HostConfig {
            privileged: Some(true),
            network_mode: Some("host".into()),
            binds: Some(vec![format!("/:{ROOT}")]),
            ..HostConfig::default()
        });
        let container = engine.start(Some("guest"), &["sleep", "86400"], body)?;
        Ok(Self { engine, container })
    }

    /// Runs a script in a shell of the guest.
    pub(super) fn shell(&self, script: &str) -> Result<Ran> {
        let command = ["busybox", "chroot", ROOT, "/bin/sh", "-c", script];
        self.engine.exec(&self.container, &command)
    }

    /// The same; a status other than 0 is an error.
    pub(super) fn run(&self, script: &str) -> Result<String> {
        let ran = self.shell(script)?;
        ensure!(
            ran.status == 0,
            "status {} of `{script}`: {}",
            ran.status,
            ran.output
        );
        Ok(ran.output)
    }

    /// Takes a file below /usr away, until the returned value is dropped; also returns dockerlaunch's report without the file.
    pub(super) fn take_away(&'a self, file: &'a str) -> Result<(Away<'a>, String)> {
        let away = Away { guest: self, file };
        let said = self.shell(&format!(
            "mv /usr/{file} /usr/{file}.away && exec /usr/bin/dockerlaunch --check"
        ))?;
        Ok((away, said.output))
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let file = self.file;
        // If this fails, the next check that needs the file fails.
        let _ = self.guest.run(&format!("mv /usr/{file}.away /usr/{file}"));
    }
}
