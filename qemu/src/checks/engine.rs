//! What is checked on a real engine. Every row stands by itself: it makes the containers it needs, and a failed one
//! leaves the others their answer.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};

use super::seen::{SPEAKER, same};
use crate::engine::Engine;

/// What a row may use.
pub(crate) struct Place<'a> {
    pub(crate) engine: &'a Engine,
    /// The port on 127.0.0.1 that leads to `PUBLISHED` in the guest.
    pub(crate) published: u16,
    /// `1` or `2`, as `docker info` tells it: hybrid is 1 to Docker.
    pub(crate) cgroup: &'a str,
    /// The console up to the moment when the engine answered.
    pub(crate) console: &'a [String],
}

/// One check by name.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Place) -> Result<()>,
}

/// The guest's port that the harness forwards for published ports.
pub(crate) const PUBLISHED: u16 = 8080;

pub(crate) const COMMON: &[Row] = &[
    Row {
        name: "cgroup-version",
        run: cgroup_version,
    },
    Row {
        name: "bridge-address",
        run: bridge_address,
    },
    Row {
        name: "published-port",
        run: published_port,
    },
    Row {
        name: "exec",
        run: exec,
    },
    Row {
        name: "logs",
        run: logs,
    },
    Row {
        name: "volume",
        run: volume,
    },
    Row {
        name: "user-network",
        run: user_network,
    },
    Row {
        name: "restart",
        run: restart,
    },
];

pub(crate) const LIMITS: &[Row] = &[
    Row {
        name: "memory-limit",
        run: memory_limit,
    },
    Row {
        name: "memory-limit-kills",
        run: memory_limit_kills,
    },
    Row {
        name: "pids-limit",
        run: pids_limit,
    },
    Row {
        name: "pids-limit-refuses",
        run: pids_limit_refuses,
    },
];

/// Kernels 6.12 and 7.2 of Debian have no version 1 memory and cpuset: they are named once, and the boot goes on.
pub(crate) const MISSING_CONTROLLERS: &[Row] = &[
    Row {
        name: "warns-of-missing-controllers",
        run: warns_of_missing_controllers,
    },
    Row {
        name: "pids-limit",
        run: pids_limit,
    },
];

/// No step failed, and none was worth a warning.
pub(crate) const QUIET: &[Row] = &[Row {
    name: "no-warning",
    run: no_warning,
}];

const MIB: i64 = 1024 * 1024;
/// Where a container finds its own limits, by the version of the control groups: Docker mounts only its own part there.
const LIMIT_FILES: &[(&str, &str, &str)] = &[
    (
        "1",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/pids/pids.max",
    ),
    ("2", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"),
];
/// A page that says so.
const SERVE: &str = "mkdir /www && echo served > /www/index.html && exec httpd -f -p 80 -h /www";
/// How long a server in a container may take from its start to its first answer.
const SERVES_WITHIN: Duration = Duration::from_secs(30);
/// The container that waits to be asked something.
const WAIT: &[&str] = &["sleep", "600"];

fn cgroup_version(place: &Place) -> Result<()> {
    same(
        "the version the engine sees",
        place.engine.cgroup_version()?.as_str(),
        place.cgroup,
    )
}

fn bridge_address(place: &Place) -> Result<()> {
    let output = place.engine.run(&["ip", "-4", "addr", "show", "eth0"])?;
    let address = output
        .split_whitespace()
        .skip_while(|word| *word != "inet")
        .nth(1);
    let address =
        address.with_context(|| format!("eth0 in the container has no address: {output}"))?;
    ensure!(
        address.starts_with("172.17."),
        "{address} is not of the default bridge"
    );
    // The bridge answers, so the link between is up.
    place
        .engine
        .run(&["ping", "-c", "1", "-W", "10", "172.17.0.1"])
        .map(drop)
}

fn published_port(place: &Place) -> Result<()> {
    let binding = PortBinding {
        host_ip: None,
        host_port: Some(PUBLISHED.to_string()),
    };
    let host = HostConfig {
        port_bindings: Some(HashMap::from([("80/tcp".into(), Some(vec![binding]))])),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        exposed_ports: Some(vec!["80/tcp".into()]),
        ..with(host)
    };
    let container = place.engine.start(None, &["sh", "-c", SERVE], body)?;
    let page = fetch(place.published);
    place.engine.remove(&container)?;
    let page = page?;
    ensure!(
        page.contains("200 OK") && page.ends_with("served\n"),
        "the page is not the container's: {page}"
    );
    Ok(())
}

fn exec(place: &Place) -> Result<()> {
    let container = place
        .engine
        .start(None, WAIT, ContainerCreateBody::default())?;
    let ran = place.engine.exec(
        &container,
        &["sh", "-c", "echo to stdout; echo to stderr >&2; exit 7"],
    );
    place.engine.remove(&container)?;
    let ran = ran?;
    same("the status", ran.status, 7)?;
    ensure!(
        ran.output.contains("to stdout\n") && ran.output.contains("to stderr\n"),
        "the output is {:?}",
        ran.output
    );
    Ok(())
}

fn logs(place: &Place) -> Result<()> {
    let ran = place.engine.run_with(
        &["sh", "-c", "echo first; echo second >&2; exit 3"],
        ContainerCreateBody::default(),
    )?;
    same("the status", ran.status, 3)?;
    ensure!(
        ran.output.contains("first\n") && ran.output.contains("second\n"),
        "the logs are {:?}",
        ran.output
    );
    Ok(())
}

fn volume(place: &Place) -> Result<()> {
    let run = |command: &str| {
        let host = HostConfig {
            binds: Some(vec!["kept:/kept".into()]),
            ..HostConfig::default()
        };
        place.engine.run_with(&["sh", "-c", command], with(host))
    };
    same(
        "the writer's status",
        run("echo written > /kept/file")?.status,
        0,
    )?;
    same(
        "what the reader found",
        run("cat /kept/file")?.output.as_str(),
        "written\n",
    )
}

fn user_network(place: &Place) -> Result<()> {
    place.engine.create_network("own")?;
    let own = || {
        with(HostConfig {
            network_mode: Some("own".into()),
            ..HostConfig::default()
        })
    };
    let server = place
        .engine
        .start(Some("web"), &["sh", "-c", SERVE], own())?;
    // The names of a static busybox are looked up by its C library; its wget crashes there, nc and ping do not.
    let ask = "ping -c 1 -W 10 web && for n in 1 2 3 4 5 6 7 8 9 10; do
        page=$(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 web 80) && echo \"$page\" && exit 0; sleep 1; done; exit 9";
    let ran = place.engine.run_with(&["sh", "-c", ask], own());
    place.engine.remove(&server)?;
    let ran = ran?;
    ensure!(
        ran.status == 0 && ran.output.contains("served"),
        "status {}: {}",
        ran.status,
        ran.output
    );
    Ok(())
}

fn restart(place: &Place) -> Result<()> {
    let count = "echo started >> /starts; exec sleep 600";
    let container =
        place
            .engine
            .start(None, &["sh", "-c", count], ContainerCreateBody::default())?;
    let before = place.engine.pid(&container)?;
    place.engine.restart(&container)?;
    let after = place.engine.pid(&container)?;
    let starts = until(SERVES_WITHIN, "the second start", || {
        let output = place.engine.exec(&container, &["cat", "/starts"])?.output;
        ensure!(
            output == "started\nstarted\n",
            "the container's file has {output:?}"
        );
        Ok(())
    });
    place.engine.remove(&container)?;
    ensure!(before != after, "it is the same process: {before}");
    starts
}

fn memory_limit(place: &Place) -> Result<()> {
    let (file, _) = limit_files(place)?;
    let ran = place.engine.run_with(&["cat", file], memory(64 * MIB))?;
    same(file, ran.output.trim(), (64 * MIB).to_string().as_str())
}

fn memory_limit_kills(place: &Place) -> Result<()> {
    let glutton = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    same(
        "with enough memory",
        place.engine.run_with(&glutton, memory(128 * MIB))?.status,
        0,
    )?;
    let container = place.engine.start(None, &glutton, memory(32 * MIB))?;
    let status = place.engine.wait(&container)?;
    let killed = place
        .engine
        .inspect(&container)?
        .state
        .and_then(|state| state.oom_killed);
    place.engine.remove(&container)?;
    same("the status", status, 137)?;
    same("OOMKilled", killed, Some(true))
}

fn pids_limit(place: &Place) -> Result<()> {
    let (_, file) = limit_files(place)?;
    let ran = place.engine.run_with(&["cat", file], pids(7))?;
    same(file, ran.output.trim(), "7")
}

fn pids_limit_refuses(place: &Place) -> Result<()> {
    let many = "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; echo all";
    let free = place.engine.run_with(&["sh", "-c", many], pids(40))?;
    same("with enough of them", free.output.as_str(), "all\n")?;
    let ran = place.engine.run_with(&["sh", "-c", many], pids(7))?;
    ensure!(
        ran.status != 0 && ran.output.contains("fork"),
        "ten more than seven went through: status {}, {}",
        ran.status,
        ran.output
    );
    Ok(())
}

fn warns_of_missing_controllers(place: &Place) -> Result<()> {
    let lines = said(place, &["memory", "cpuset"]);
    ensure!(
        lines.len() == 1,
        "{} lines of dockerlaunch name memory and cpuset:\n{}",
        lines.len(),
        lines.join("\n")
    );
    Ok(())
}

fn no_warning(place: &Place) -> Result<()> {
    let lines = said(place, &[]);
    ensure!(
        lines.is_empty(),
        "dockerlaunch has something to say:\n{}",
        lines.join("\n")
    );
    Ok(())
}

/// Lines of dockerlaunch that have all the words.
fn said<'a>(place: &Place<'a>, words: &[&str]) -> Vec<&'a str> {
    let lines = place
        .console
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains(SPEAKER));
    lines
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .collect()
}

fn limit_files(place: &Place) -> Result<(&'static str, &'static str)> {
    let row = LIMIT_FILES
        .iter()
        .find(|(version, ..)| *version == place.cgroup);
    row.map(|(_, memory, pids)| (*memory, *pids))
        .with_context(|| format!("no row for version {}", place.cgroup))
}

fn memory(bytes: i64) -> ContainerCreateBody {
    with(HostConfig {
        memory: Some(bytes),
        memory_swap: Some(bytes),
        ..HostConfig::default()
    })
}

fn pids(limit: i64) -> ContainerCreateBody {
    with(HostConfig {
        pids_limit: Some(limit),
        ..HostConfig::default()
    })
}

fn with(host: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// A page by HTTP/1.0, from the host.
fn fetch(port: u16) -> Result<String> {
    let attempt = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        ensure!(
            !page.is_empty(),
            "the connection was closed without an answer"
        );
        Ok(page)
    };
    until(SERVES_WITHIN, "the published port", attempt)
}

/// Tries until it succeeds: a server in a container cannot tell the outside that it listens.
fn until<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > limit => {
                bail!("{what}: not within {} s: {error:#}", limit.as_secs())
            }
            Err(_) => sleep(Duration::from_millis(200)),
        }
    }
}
