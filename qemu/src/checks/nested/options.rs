//! Other options of `docker run`: another PID 1, the host's processes, a read-only root, another user.

use anyhow::{Context, Result, ensure};

use super::inner::{WITHIN, answers, give_busybox, inside, launched, shell};
use crate::checks::{
    engine::{Place, reaped, until},
    seen::same,
};

/// Docker's own files are mounts in the container before and after, with Docker's contents.
const MOUNTED: &str = "for file in resolv.conf hosts hostname; do grep -q \" /etc/$file \" /proc/self/mountinfo || echo $file is no mount; done; \
    grep -q nameserver /etc/resolv.conf || echo no nameserver; grep -q called /etc/hosts || echo no host; cat /etc/hostname";

/// docker-init is PID 1, and the root is read-only.
pub(super) fn init_and_read_only(place: &Place) -> Result<()> {
    let run = "docker run --name init --hostname called --privileged --init --read-only --tmpfs /run --tmpfs /tmp -d dockerlaunch";
    shell(place, run)?;
    answers(place, "init", 1)?;
    let first = inside(place, "init", "cat /proc/1/comm")?;
    same("PID 1", first.as_str(), "docker-init\n")?;
    let mounted = inside(place, "init", MOUNTED)?;
    same("its name, and what is wrong", mounted.as_str(), "called\n")?;
    give_busybox(place, "init")?;
    inside(place, "init", "docker run --rm busybox true")?;
    place.engine.remove("init")
}

/// With the guest's processes: dockerlaunch is not PID 1. With REAP=true it reaps the engine's orphans; without it, it becomes the
/// engine, and the guest's PID 1 reaps.
pub(super) fn pid_host(place: &Place) -> Result<()> {
    for options in ["", "--env DOCKER_LAUNCH_REAP=true"] {
        let run =
            format!("docker run --name host --privileged --pid=host -d {options} dockerlaunch");
        shell(place, &run)?;
        answers(place, "host", 1)?;
        give_busybox(place, "host")?;
        inside(place, "host", "docker run --rm --network none busybox true")?;
        reaped(place, WITHIN).with_context(|| format!("with `{options}`"))?;
        shell(place, "docker stop --time 60 host")?;
        place.engine.remove("host")?;
    }
    Ok(())
}

/// A second engine in the guest, whose containers' root is another user. It has a network of its own, apart from the first one's
/// bridge.
const SECOND: &str = "echo 'remapped:100000:65536' > /etc/subuid; cp /etc/subuid /etc/subgid; \
    echo 'remapped:x:999:999::/:/' >> /etc/passwd; echo 'remapped:x:999:' >> /etc/group; \
    busybox unshare -n dockerd --userns-remap=remapped --data-root /var/lib/second --exec-root /run/second \
    --pidfile /run/second.pid --host unix:///run/second.sock --bridge=none --iptables=false --ip6tables=false \
    > /run/second.log 2>&1 &";
/// An image with dockerlaunch and a program for it to start.
const SMALL: &str = "tar c -C / usr/bin/dockerlaunch usr/bin/busybox | docker --host unix:///run/second.sock import - small";
const IN_SMALL: &str = "small /usr/bin/dockerlaunch /usr/bin/busybox true";

/// An engine with user namespaces refuses --privileged itself; without that option dockerlaunch logs one line about what is missing.
pub(super) fn user_namespace(place: &Place) -> Result<()> {
    shell(place, SECOND)?;
    until(WITHIN, "the second engine", || {
        let said = shell(place, "cat /run/second.log")?;
        ensure!(said.contains("API listen on "), "its logs: {said}");
        Ok(())
    })?;
    shell(place, SMALL)?;
    let run = |options: &str| {
        let run = format!(
            "docker --host unix:///run/second.sock run --rm --network none {options} {IN_SMALL}"
        );
        place.guest.shell(WITHIN, &run)
    };
    let (refused, ran) = (run("--privileged")?, run("")?);
    shell(place, "kill $(cat /run/second.pid)")?;
    ensure!(
        refused.status == 125 && refused.output.contains("incompatible with user namespaces"),
        "with --privileged: {}",
        refused.output
    );
    same("its status", ran.status, 125)?;
    let lines = launched(&ran.output);
    let told = "run with --privileged --userns=host, by an engine that is not rootless";
    ensure!(
        lines.len() == 1 && lines[0].ends_with(told),
        "its output is {}",
        ran.output
    );
    Ok(())
}
