//! How an engine is launched in a guest, and which lines of its console say that it is ready.

use std::time::Duration;

use crate::machine::SPEAKER;

/// How long an engine may take until it listens. Emulated on two busy processors it has taken 30 s.
pub(crate) const READY: Duration = Duration::from_secs(180);
/// How long it may take from then to its first answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);

/// The guest's port of the API.
pub(crate) const PORT: u16 = 2375;

/// The fixed addresses of QEMU's user network: the guest, the gateway, the name server.
pub(crate) const ADDRESS: &str =
    "DOCKER_LAUNCH_IP=10.0.2.15::10.0.2.2:255.255.255.0:docker:eth0:off:10.0.2.3";

/// The network card's drivers, which Docker itself does not need. Kernel 6.1 has both as modules.
pub(crate) const DRIVER: &str = "DOCKER_LAUNCH_MODULES=virtio_pci,virtio_net";

/// Without --tls=false dockerd waits 16 s, to warn its user of an open port.
pub(crate) const DAEMON: &[&str] = &["-H", "fd://", "-H", "tcp://0.0.0.0:2375", "--tls=false"];

/// How long a guest may take to power off: dockerd has 90 s to end, all other processes have 5.
pub(crate) const OFF_WITHIN: Duration = Duration::from_secs(180);

/// What PID 1 says when the daemon has reported that it is ready, before the time.
pub(crate) const IS_READY: &str = "docker is ready";

/// PID 1's line when the daemon has reported that it is ready.
pub(crate) fn is_ready(line: &str) -> bool {
    line.starts_with(SPEAKER) && line.contains(&format!("{IS_READY}, "))
}

/// dockerd's own line when it listens on the forwarded port: the only sign where dockerd itself is PID 1.
pub(crate) fn listens(line: &str) -> bool {
    line.contains("API listen on ") && line.contains(&format!(":{PORT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_ready_engine_are_known() {
        assert!(listens(
            r#"time="2026-01-01T00:00:00Z" level=info msg="API listen on [::]:2375""#
        ));
        assert!(!listens(
            r#"level=info msg="API listen on /run/docker.sock""#
        ));
        assert!(is_ready(
            "dockerlaunch: docker is ready, 9876 ms after kernel start"
        ));
        assert!(!is_ready("level=info msg=\"docker is ready, they say\""));
    }
}
