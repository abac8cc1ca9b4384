//! The image is loaded, the guide's commands work, and so do containers of the inner engine.

use anyhow::{Context, Result, ensure};

use super::{
    cgroups,
    inner::{BUSYBOX, DAEMON, RUN, WITHIN, answers, give_busybox, inside, shell},
};
use crate::{
    checks::{
        engine::{PUBLISHED, Place, SERVE, until},
        seen::same,
    },
    engine::{Engine, launch::PORT},
};

/// `docker load` of the archive; before it, the state of the guest is recorded.
pub(super) fn load(place: &Place) -> Result<()> {
    cgroups::begin(place)?;
    cgroups::remember(place)?;
    shell(place, "modprobe virtio_blk")?;
    shell(
        place,
        &format!("[ -e {BUSYBOX} ] || docker save --output {BUSYBOX} busybox"),
    )?;
    let said = shell(place, &format!("docker load --input {}", place.image))?;
    ensure!(
        said.contains("Loaded image: dockerlaunch:latest"),
        "docker load prints {said}"
    );
    Ok(())
}

/// The guide's two commands. The guest's serial port is the terminal for -t.
pub(super) fn seed(place: &Place) -> Result<()> {
    shell(place, RUN)?;
    answers(place, DAEMON, 1)?;
    let table = shell(place, "docker exec -it daemon docker ps < /dev/ttyS0")?;
    ensure!(
        table.starts_with("CONTAINER ID ") && table.trim_end().lines().count() == 1,
        "docker ps prints {table}"
    );
    give_busybox(place, DAEMON)
}

/// The smallest image answers over its own API, which the host uses.
pub(super) fn smallest(place: &Place) -> Result<()> {
    let run = format!(
        "docker run --name smallest --privileged -d --publish {PUBLISHED}:{PORT} dockerlaunch -H tcp://0.0.0.0:{PORT} --tls=false"
    );
    shell(place, &run)?;
    let mut engine = Engine::connect(place.published)?;
    let runs = || place.engine.pid("smallest").map(drop);
    let ready = engine.wait_ready(WITHIN, runs);
    ready.with_context(|| place.engine.logs("smallest").unwrap_or_default())?;
    engine.load_busybox(place.busybox)?;
    same(
        "its container's output",
        engine.run(&["echo", "small"])?.as_str(),
        "small\n",
    )?;
    place.engine.remove("smallest")
}

/// The inner container sees its limits as its own, and its PID 1 is docker-init.
pub(super) fn limits(place: &Place) -> Result<()> {
    let (files, cpus) = match place.cgroup {
        "1" => (
            "memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max",
            "50000",
        ),
        _ => ("memory.max cpu.max pids.max", "50000 100000"),
    };
    let command = format!(
        "docker run --rm --init --memory 32m --cpus 0.5 --pids-limit 50 busybox \
         sh -c 'cd /sys/fs/cgroup; cat {files} /proc/1/comm'"
    );
    let said = inside(place, DAEMON, &command)?;
    let last: Vec<&str> = said.lines().rev().take(4).collect();
    same(
        "what it reads, from the last line on",
        last,
        vec!["docker-init", "50", cpus, "33554432"],
    )
}

/// From the guest, which is another machine for the inner engine: the engine's packet rules and its proxy lead to the container.
pub(super) fn published_port(place: &Place) -> Result<()> {
    let run = format!(
        "docker run --detach --name web --publish 8081:80 --stop-signal KILL busybox sh -c '{SERVE}'"
    );
    inside(place, DAEMON, &run)?;
    let networks = place.engine.inspect(DAEMON)?.network_settings;
    let networks = networks.and_then(|settings| settings.networks);
    let network = networks.and_then(|mut networks| networks.remove("bridge"));
    let address = network
        .and_then(|network| network.ip_address)
        .unwrap_or_default();
    let ask = format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} 8081");
    until(WITHIN, "the published port", || {
        let page = shell(place, &ask)?;
        ensure!(page.ends_with("served\n"), "the page is {page:?}");
        Ok(())
    })?;
    inside(place, DAEMON, "docker rm --force web").map(drop)
}

/// The guest's kernel has no nf_tables: the guest and the container each have their rules in legacy tables of their own.
pub(super) fn legacy_iptables(place: &Place) -> Result<()> {
    let tables = "cat /proc/net/ip_tables_names";
    for said in [shell(place, tables)?, inside(place, DAEMON, tables)?] {
        for table in ["nat", "filter"] {
            ensure!(
                said.lines().any(|line| line == table),
                "no table {table}: {said}"
            );
        }
    }
    let modules = shell(place, "cut -d ' ' -f 1 /proc/modules")?;
    ensure!(
        !modules.lines().any(|module| module == "nf_tables"),
        "nf_tables is loaded although it is blacklisted"
    );
    Ok(())
}
