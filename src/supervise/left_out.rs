//! Without the Cargo feature `supervise` the daemon replaces this process.

use crate::{
    docker::command::Command,
    launch::{Ended, Launch, Outcome},
    steps::{
        containerd::Containerd,
        daemon::{self, Daemon},
    },
};

pub(crate) fn start(
    launch: &Launch<'_>,
    command: &Command<'_>,
    prepared: &Daemon,
    _: Option<&Containerd>,
) -> Outcome<Ended> {
    daemon::replace(launch, command, prepared).map(|never| match never {})
}
