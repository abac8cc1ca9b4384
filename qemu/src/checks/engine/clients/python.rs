//! Docker's library for Python, on this machine: it uses the forwarded port of the API.

use std::process::Command;

use anyhow::Result;

use super::super::place::{CannotRun, Place};
use crate::{engine::launch::PORT, host::tools, packages::python, report::Missing};

/// Each of its functions is a check.
const CALLS: &str = include_str!("../../../../clients/sdk.py");

pub(super) fn ask(place: &Place, function: &str) -> Result<()> {
    let python = python::DOCKER.as_ref();
    let python = python.map_err(|reason| {
        CannotRun(Missing {
            download: Some(python::DOWNLOAD.to_owned()),
            reason: reason.clone(),
        })
    })?;
    let engine = format!("tcp://127.0.0.1:{}", place.guest.port(PORT)?);
    let mut command = Command::new(python);
    command.args(["-c", CALLS, function]);
    command.env("DOCKER_HOST", engine);
    for other in ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(other);
    }
    tools::run(&mut command)
}
