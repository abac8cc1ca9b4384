//! A second engine in the same guest, launched by dockerlaunch as a container's PID 1, on the guest's own /usr without one file: for
//! files that dockerd looks up only once.

use anyhow::{Context, Result};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::world::{Requirement, World};
use crate::{
    checks::engine::{PUBLISHED, publishing, with},
    engine::{
        Engine,
        launch::{PORT, READY},
    },
};

/// A root of its own: /usr without the file ($1), and an empty rest, which dockerlaunch fills. The upper part of an overlay
/// cannot lie on the container's own overlay, so it is in memory.
const ROOT: &str = r#"set -e
mkdir /upper /root.new
mount -t tmpfs -o mode=755 tmpfs /upper
mount -t tmpfs -o mode=755 tmpfs /root.new
cd /root.new
mkdir -p /upper/files /upper/work usr dev proc sys old var/lib/docker
mount -t overlay -o lowerdir=/guest/usr,upperdir=/upper/files,workdir=/upper/work overlay usr
rm "usr/$1"
shift
for each in dev proc sys; do mount -o rbind "/$each" "$each"; done
mount -t securityfs securityfs sys/kernel/security
mount -o bind /data var/lib/docker
pivot_root . old
exec /usr/bin/busybox chroot . /usr/bin/busybox sh -c "$LAUNCH" sh "$@"
"#;

/// The normal start. If dockerlaunch refuses it, because a required file is missing, a second start has the setting to go on.
const LAUNCH: &str = r#"umount -l /old
exec /usr/bin/dockerlaunch "$@""#;
const LAUNCH_ALTHOUGH_REFUSED: &str = r#"umount -l /old
DOCKER_LAUNCH_AS=container /usr/bin/dockerlaunch "$@" || echo "refused with status $?"
export DOCKER_LAUNCH_PREREQUISITES=warn
exec /usr/bin/dockerlaunch "$@""#;

/// For an engine that answers. It needs no packet rules, which only take time.
const LISTENING: &[&str] = &[
    "-H",
    "tcp://0.0.0.0:2375",
    "--tls=false",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
];

/// The line with the status of a refused start.
pub(super) fn refused(status: u8) -> String {
    format!("refused with status {status}")
}

/// The logs of an engine that, with these arguments, does not start.
pub(super) fn failing(world: &World, row: &Requirement, arguments: &[&str]) -> Result<String> {
    let host = HostConfig {
        network_mode: Some("none".into()),
        ..HostConfig::default()
    };
    let second = Second::start(world, row, arguments, with(host))?;
    let engine = world.place.engine;
    let ended = engine.wait_within(READY, &second.container);
    let said = second.said()?;
    ended.with_context(|| format!("the second engine's logs:\n{said}"))?;
    Ok(said)
}

/// Its container is removed when it is dropped.
pub(super) struct Second<'a> {
    world: &'a World<'a>,
    container: String,
}

impl<'a> Second<'a> {
    /// An engine that answers.
    pub(super) fn listening(world: &'a World<'a>, row: &Requirement) -> Result<Self> {
        let body = publishing(PORT, None, PUBLISHED, HostConfig::default());
        Self::start(world, row, LISTENING, body)
    }

    fn start(
        world: &'a World<'a>,
        row: &Requirement,
        arguments: &[&str],
        body: ContainerCreateBody,
    ) -> Result<Self> {
        let command = [&["sh", "-c", ROOT, "sh", row.file], arguments].concat();
        let launch = if row.refused > 0 {
            LAUNCH_ALTHOUGH_REFUSED
        } else {
            LAUNCH
        };
        let host = HostConfig {
            privileged: Some(true),
            binds: Some(vec!["/usr:/guest/usr:ro".into()]),
            ..body.host_config.unwrap_or_default()
        };
        let body = ContainerCreateBody {
            env: Some(vec![format!("LAUNCH={launch}")]),
            volumes: Some(vec!["/data".into()]),
            host_config: Some(host),
            ..body
        };
        let container = world.place.engine.start(None, &command, body)?;
        Ok(Self { world, container })
    }

    /// Waits until it answers, and gives it the image of busybox.
    pub(super) fn engine(&self) -> Result<Engine> {
        let place = self.world.place;
        let mut engine = Engine::connect(place.published)?;
        let runs = || place.engine.pid(&self.container).map(drop);
        let ready = engine.wait_ready(READY, runs);
        ready.with_context(|| {
            format!(
                "the second engine's logs:\n{}",
                self.said().unwrap_or_default()
            )
        })?;
        engine.load_busybox(place.busybox)?;
        Ok(engine)
    }

    pub(super) fn said(&self) -> Result<String> {
        self.world.place.engine.logs(&self.container)
    }
}

impl Drop for Second<'_> {
    fn drop(&mut self) {
        // If this fails, the next one finds its port in use.
        let _ = self.world.place.engine.remove(&self.container);
    }
}
