//! Docker's clients, each with its most common use: the docker command in the guest, its plugins Compose and buildx, the library
//! for Python on this machine. Also what the steps of a build inherit from the engine, and how long an engine in a container
//! needs to end.

mod builds;
mod command;
mod compose;
mod python;

use super::{place::Row, stop};

/// The most common uses.
pub(crate) const CLIENTS: &[Row] = &[
    Row("docker-run", command::run),
    Row("buildx", builds::buildx),
    Row("compose", compose::project),
    Row("python:version", |place| python::ask(place, "version")),
    Row("python:images", |place| python::ask(place, "images")),
    Row("python:containers", |place| {
        python::ask(place, "containers")
    }),
    Row("python:events", |place| python::ask(place, "events")),
];

/// Other uses, and what needs an engine in a container.
pub(crate) const MORE_OF_CLIENTS: &[Row] = &[
    Row("docker-save-load", command::save_and_load),
    Row("classic-builder", builds::classic),
    Row("python:volumes-networks", |place| {
        python::ask(place, "volumes_and_networks")
    }),
    Row("python:build", |place| python::ask(place, "build")),
    Row("docker-stop-in-time", stop::in_time),
];
