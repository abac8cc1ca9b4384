//! The library for Python asks over the port that leads to the guest.

use std::process::Command;

use anyhow::Result;

use super::super::{CannotRun, Place};
use crate::{boot, python, report::Missing, run};

/// Its functions are the checks.
const CALLS: &str = include_str!("../../../../clients/sdk.py");

pub(super) fn ask(place: &Place, function: &str) -> Result<()> {
    let python = python::DOCKER.as_ref();
    let python = python.map_err(|reason| {
        CannotRun(Missing {
            download: Some(python::DOWNLOAD.to_owned()),
            reason: reason.clone(),
        })
    })?;
    let engine = format!("tcp://127.0.0.1:{}", place.guest.port(boot::PORT)?);
    let mut command = Command::new(python);
    command.args(["-c", CALLS, function]);
    command.env("DOCKER_HOST", engine);
    for other in ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(other);
    }
    run::output(&mut command).map(drop)
}
