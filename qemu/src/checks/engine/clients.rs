//! Clients as people have them, each asked for what it is mostly used for: the docker command in the guest, its plugins
//! Compose and buildx, the library for Python on this machine. What a build's steps inherit from the engine, and how long
//! an engine in a container needs to end, is what its users have to know.

mod builds;
mod command;
mod compose;
mod python;
mod shutdown;

use super::Row;

pub(crate) const COMMAND: &[Row] = &[
    Row("docker-run", command::run),
    Row("docker-save-load", command::save_and_load),
];

pub(crate) const BUILDS: &[Row] = &[
    Row("classic-builder", builds::classic),
    Row("buildx", builds::buildx),
];

pub(crate) const COMPOSE: &[Row] = &[Row("compose", compose::project)];

pub(crate) const PYTHON: &[Row] = &[
    Row("python:version", |place| python::ask(place, "version")),
    Row("python:images", |place| python::ask(place, "images")),
    Row("python:containers", |place| {
        python::ask(place, "containers")
    }),
    Row("python:volumes-networks", |place| {
        python::ask(place, "volumes_and_networks")
    }),
    Row("python:events", |place| python::ask(place, "events")),
    Row("python:build", |place| python::ask(place, "build")),
];

pub(crate) const SHUTDOWN: &[Row] = &[Row("docker-stop-in-time", shutdown::in_time)];
