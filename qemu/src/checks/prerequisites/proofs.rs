//! What each prerequisite is for. An error is the engine's own, or names an unexpected result.

use std::{fs, fs::File, process::Command};

use anyhow::{Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig};

use super::{
    servers::{OVER_SSH, PLAIN, PUSHED, WITH_SUBMODULE},
    world::World,
};
use crate::{
    checks::engine::{ANSWERS_WITHIN, SERVE, published_port as reached, publishing, until, with},
    engine::{Engine, IMAGE},
    host::tools,
};

pub(super) fn answers(_: &World, engine: &Engine) -> Result<()> {
    engine.version().map(drop)
}

/// A process joins a running container: containerd, its shim and runc are all needed.
pub(super) fn exec(world: &World, _: &Engine) -> Result<()> {
    world.guest.run("true").map(drop)
}

pub(super) fn container(_: &World, engine: &Engine) -> Result<()> {
    run(engine, &["true"], HostConfig::default()).map(drop)
}

/// On loopback only the proxy makes a published port reachable.
pub(super) fn loopback_port(world: &World, engine: &Engine) -> Result<()> {
    let body = publishing(80, Some("127.0.0.1"), 8081, HostConfig::default());
    let container = engine.start(None, &["sh", "-c", SERVE], body)?;
    let ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 127.0.0.1 8081; busybox pidof docker-proxy";
    let asked = until(ANSWERS_WITHIN, "the port on loopback", || {
        let output = world.guest.run(ask)?;
        ensure!(output.contains("200 OK"), "it answers {output:?}");
        Ok(())
    });
    engine.remove(&container)?;
    asked
}

/// From outside the guest, by the engine's packet rules.
pub(super) fn published_port(world: &World, _: &Engine) -> Result<()> {
    rules(world, "iptables")?;
    reached(world.place)
}

pub(super) fn ipv6_rules(world: &World, _: &Engine) -> Result<()> {
    rules(world, "ip6tables")
}

/// The engine has made its own chain.
fn rules(world: &World, program: &str) -> Result<()> {
    let rules = world.guest.run(&format!("{program} -t nat -S"))?;
    ensure!(
        rules.contains("-N DOCKER"),
        "the engine's chain is not among the rules:\n{rules}"
    );
    Ok(())
}

/// Pushes an image to the registry first, to pull it.
pub(super) fn pull(world: &World, engine: &Engine) -> Result<()> {
    let given = world.place.engine;
    until(ANSWERS_WITHIN, "the registry", || given.push(IMAGE, PUSHED))?;
    given.remove_image(PUSHED)?;
    engine.pull(PUSHED)
}

pub(super) fn init(_: &World, engine: &Engine) -> Result<()> {
    let host = HostConfig {
        init: Some(true),
        ..HostConfig::default()
    };
    let name = run(engine, &["cat", "/proc/1/comm"], host)?;
    ensure!(name == "docker-init\n", "PID 1 is {name}");
    Ok(())
}

pub(super) fn top(_: &World, engine: &Engine) -> Result<()> {
    let container = engine.start(None, &["sleep", "600"], alone(HostConfig::default()))?;
    let top = engine.top(&container);
    engine.remove(&container)?;
    let words = top?;
    ensure!(
        words.iter().any(|word| word.contains("sleep 600")),
        "it lists {words:?}"
    );
    Ok(())
}

/// The modules that the kernel needs were loaded, and are used.
pub(super) fn modules(world: &World, engine: &Engine) -> Result<()> {
    let loaded = world.guest.run("cat /proc/modules")?;
    for module in ["overlay", "bridge"] {
        ensure!(
            loaded
                .lines()
                .any(|line| line.split(' ').next() == Some(module)),
            "{module} is not among the modules:\n{loaded}"
        );
    }
    let output = engine.run(&["sh", "-c", "cat /proc/mounts && ping -c 1 -W 10 172.17.0.1"])?;
    ensure!(
        output.starts_with("overlay / overlay"),
        "the root is no overlay: {output}"
    );
    Ok(())
}

pub(super) fn xz(_: &World, engine: &Engine) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("archive");
    let mut archive = tar::Builder::new(File::create(&path)?);
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    archive.append_data(&mut header, "file", std::io::empty())?;
    archive.finish()?;
    tools::output(Command::new("xz").arg(&path))?;
    engine.import("compressed", fs::read(path.with_extension("xz"))?)
}

pub(super) fn git(_: &World, engine: &Engine) -> Result<()> {
    engine.build(PLAIN)
}

pub(super) fn submodule(_: &World, engine: &Engine) -> Result<()> {
    engine.build(WITH_SUBMODULE)
}

pub(super) fn ssh(_: &World, engine: &Engine) -> Result<()> {
    engine.build(OVER_SSH)
}

/// A container has the AppArmor profile that dockerd loads with the parser.
pub(super) fn confined(_: &World, engine: &Engine) -> Result<()> {
    let profile = run(
        engine,
        &["cat", "/proc/self/attr/current"],
        HostConfig::default(),
    )?;
    ensure!(
        profile == "docker-default (enforce)\n",
        "the container's profile is {profile}"
    );
    Ok(())
}

/// Runs a command in a container and returns its output. Without a network, whose packet rules take most of an emulated
/// container's time.
fn run(engine: &Engine, command: &[&str], host: HostConfig) -> Result<String> {
    let ran = engine.run_with(command, alone(host))?;
    ensure!(ran.status == 0, "status {}: {}", ran.status, ran.output);
    Ok(ran.output)
}

fn alone(host: HostConfig) -> ContainerCreateBody {
    with(HostConfig {
        network_mode: Some("none".into()),
        ..host
    })
}
