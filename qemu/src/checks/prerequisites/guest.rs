//! The guest's own file system, from a container that has it: commands run in it, files are taken away and put back.

use anyhow::{Result, ensure};
use bollard::models::HostConfig;

use super::servers;
use crate::{
    checks::engine::with,
    engine::{Engine, Ran},
    scenarios::Change,
};

/// Where the container has the guest's root.
const ROOT: &str = "/guest";

/// What the image needs beside all groups.
pub(crate) const PACKAGED: &[Change] = servers::PACKAGED;

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
    /// Starts the container, and the servers beside it.
    pub(crate) fn new(engine: &'a Engine) -> Result<Self> {
        let body = with(HostConfig {
            privileged: Some(true),
            network_mode: Some("host".into()),
            binds: Some(vec![format!("/:{ROOT}")]),
            ..HostConfig::default()
        });
        let container = engine.start(Some("guest"), &["sleep", "86400"], body)?;
        let guest = Self { engine, container };
        servers::start(&guest)?;
        Ok(guest)
    }

    /// What a shell of the guest says to this.
    pub(super) fn shell(&self, script: &str) -> Result<Ran> {
        let command = ["busybox", "chroot", ROOT, "/bin/sh", "-c", script];
        self.engine.exec(&self.container, &command)
    }

    /// The same, where it must succeed.
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

    /// Takes a file below /usr away, until what is returned is dropped; with it comes what dockerlaunch then says.
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
        // Whoever misses it says so.
        let _ = self.guest.run(&format!("mv /usr/{file}.away /usr/{file}"));
    }
}
