//! From the kernel to a ready engine, and to the end of its first container: dockerlaunch against a good script, and against the
//! same script that starts containerd beside dockerd. Each has the same image, the same dockerd with no arguments, and the same
//! client beside PID 1.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    guest::{self, Counted, bytes, console, in_memory, program},
    lines,
    moments::{Moment, Who, moments},
    row::Row,
};
use crate::{
    engine::{self, launch},
    host::progress::Step,
    image::{self, Format, Group, Image},
    packages::suites::Suite,
    program::{self as programs},
};

/// A row of the table, in milliseconds since the kernel began.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Boot {
    pub(crate) suite: &'static str,
    pub(crate) name: &'static str,
    /// The kernel executes PID 1.
    pub(crate) pid_1: f64,
    pub(crate) ready: f64,
    /// The first container has run to its end.
    pub(crate) container: f64,
    /// What the engine says of itself and of the system that it found.
    pub(crate) engine: Value,
    pub(crate) moments: Vec<Moment>,
}

struct Booted {
    file: &'static str,
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [&'static str],
}

const CLIENT: &[&str] = &["/bench/probe", "--probe=first-container"];

const TABLE: &[Booted] = &[
    Booted {
        file: "engine-dockerlaunch",
        name: "dockerlaunch",
        arguments: &["/usr/bin/dockerlaunch"],
        // Its lines are what the chart is drawn from; they cost it a few milliseconds.
        environment: &["DOCKER_LAUNCH_DEBUG=true"],
    },
    Booted {
        file: "engine-script",
        name: "a busybox script",
        arguments: &["/bench/init", "dockerd"],
        environment: &[],
    },
    Booted {
        file: "engine-beside",
        name: "the script, containerd beside dockerd",
        arguments: &["/bench/init", "beside", "dockerd"],
        environment: &[],
    },
];

/// MiB beside the image and its unpacked copy.
const MEMORY: u32 = 1536;
const WITHIN: Duration = Duration::from_secs(600);

pub(crate) fn boots(
    suite: Suite,
    dockerlaunch: &Path,
    mirror: &str,
    verbose: bool,
) -> Result<Vec<Boot>> {
    let packages = suite.unpacked(mirror)?;
    let [start] = programs::stopwatch(["start"], mirror)?;
    let busybox = engine::busybox_root(&packages.root.join("usr/bin/busybox"))?;
    let mut extra = vec![
        program("start", &start)?,
        program("probe", &programs::probe()?)?,
        bytes("bench/init", 0o755, include_str!("init.sh")),
        bytes("bench/busybox.tar", 0o644, busybox),
    ];
    extra.extend(TABLE.iter().map(|row| {
        let file = Row {
            rests: false,
            beside: CLIENT,
            arguments: row.arguments,
            environment: row.environment,
        };
        bytes(&format!("bench/rows/{}", row.file), 0o644, file.bytes())
    }));
    let image = Image {
        name: format!("bench-boots-{}", suite.name()),
        packages: &packages,
        more: None,
        program: dockerlaunch,
        groups: Group::ALL,
        extra,
        format: Format::Initramfs,
    };
    let image = in_memory(&image.built()?)?;
    let counted = Counted {
        kernel: image::kernel(&packages)?,
        memory: MEMORY + 2 * guest::mebibytes(&image)?,
        image,
        verbose,
    };
    let boots: Vec<Boot> = TABLE
        .iter()
        .map(|row| booted(&counted, row, suite.name()))
        .collect::<Result<_>>()?;
    for boot in &boots {
        ensure!(
            boot.engine == boots[0].engine,
            "the engines differ, so the boots cannot be compared: {}: {}; {}: {}",
            boots[0].name,
            boots[0].engine,
            boot.name,
            boot.engine
        );
    }
    Ok(boots)
}

fn booted(counted: &Counted, row: &Booted, suite: &'static str) -> Result<Boot> {
    let step = Step::spinner(&format!("boot: {suite}: {}", row.name));
    let console = console(counted, row.file, WITHIN, lines::ends)?;
    if let Some(error) = console
        .iter()
        .find(|line| line.starts_with("bench: container: "))
    {
        bail!("{}: {error}", row.name);
    }
    let boot = read(&console, row.name, suite)
        .with_context(|| format!("{}: the console lacks a moment", row.name))?;
    step.done(&format!(
        "boot: {suite}: {}: ready after {:.0} ms, first container {:.0} ms",
        row.name, boot.ready, boot.container
    ));
    Ok(boot)
}

/// The boot that a console shows. dockerlaunch's own line counts where there is one: it comes after dockerd's.
fn read(console: &[String], name: &'static str, suite: &'static str) -> Option<Boot> {
    let moments = moments(console);
    let last = |wanted: &dyn Fn(&Moment) -> bool| {
        let found = moments.iter().rev().find(|moment| wanted(moment));
        found.map(|moment| moment.at)
    };
    let said = last(&|moment| moment.who == Who::Dockerlaunch && moment.what == launch::IS_READY);
    let ready = said.or_else(|| last(&|moment| moment.what.starts_with("API listen on ")))?;
    Some(Boot {
        suite,
        name,
        pid_1: last(&|moment| moment.who == Who::Kernel && moment.what.starts_with("Run /"))?,
        ready,
        engine: engine(console)?,
        container: last(&|moment| moment.who == Who::Client && moment.what == "container")?,
        moments,
    })
}

fn engine(console: &[String]) -> Option<Value> {
    let mut lines = console.iter();
    let said = lines.find_map(|line| line.strip_prefix("bench: engine "))?;
    serde_json::from_str(said).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_pid_1_comes_before_dockerds() {
        let text = "[    1.500000] Run /bench/start as init process\n\
            bench: clocks 1600000000 2208988801600000000\n\
            INFO[2040-01-01T00:00:03Z] API listen on 127.0.0.1:2375\n\
            bench: container 4000000000\n\
            bench: engine {\"Driver\":\"overlay2\"}\n";
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let script = read(&lines(text), "script", "trixie").unwrap();
        assert_eq!(
            (script.pid_1, script.ready, script.container),
            (1500.0, 3000.0, 4000.0)
        );
        let text = text.to_owned() + "dockerlaunch: docker is ready, 3010 ms after kernel start\n";
        assert_eq!(read(&lines(&text), "ours", "trixie").unwrap().ready, 3010.0);
        assert!(read(&lines("nothing"), "none", "trixie").is_none());
    }
}
