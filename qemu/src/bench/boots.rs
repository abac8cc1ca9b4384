//! From the kernel to a ready engine, and to the end of its first container: dockerlaunch against a good script, and against the
//! same script that starts containerd beside dockerd. Each has the same image, the same dockerd with no arguments, and the same
//! client beside PID 1.

use std::{num::NonZero, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{
    guest::{self, Guests, bytes, console, in_memory, program},
    lines,
    moments::{Moment, Who, moments},
    row::Row,
};
use crate::{
    engine::{self, launch},
    host::progress::Step,
    image::{self, Format, Group, Image},
    machine::{acceleration::Acceleration, trial},
    packages::suites::Suite,
    program as programs,
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
    /// Of several timed boots, of which this is the one with the median until ready.
    pub(crate) spread: Option<Spread>,
    /// What the engine says of itself and of the system that it found.
    pub(crate) engine: Value,
    pub(crate) moments: Vec<Moment>,
}

/// The shortest and the longest of timed boots, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) rounds: usize,
    pub(crate) ready: (f64, f64),
    pub(crate) container: (f64, f64),
}

/// What is booted, and how it is measured.
pub(crate) struct Boots<'b> {
    pub(crate) suite: Suite,
    pub(crate) dockerlaunch: &'b Path,
    pub(crate) mirror: &'b str,
    /// Boots each so often and times it, on two processors, instead of counting instructions on one.
    pub(crate) rounds: Option<NonZero<usize>>,
    /// Whether the modules lack their signatures, which the kernel then need not check.
    pub(crate) unsigned_modules: bool,
    pub(crate) verbose: bool,
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

pub(crate) fn boots(wanted: &Boots) -> Result<Vec<Boot>> {
    let suite = wanted.suite;
    let packages = suite.unpacked(wanted.mirror)?;
    let [start] = programs::stopwatch(["start"], wanted.mirror)?;
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
        program: wanted.dockerlaunch,
        groups: Group::ALL,
        extra,
        format: Format::Initramfs,
        unsigned_modules: wanted.unsigned_modules,
    };
    let image = in_memory(&image.built()?)?;
    let kernel = image::kernel(&packages)?;
    let acceleration = match wanted.rounds {
        None => Acceleration::Counted,
        Some(_) => trial::find(&kernel)?.0,
    };
    let guests = Guests {
        kernel,
        acceleration,
        memory: MEMORY + 2 * guest::mebibytes(&image)?,
        image,
        verbose: wanted.verbose,
    };
    let mut timed: Vec<Vec<Boot>> = TABLE.iter().map(|_| Vec::new()).collect();
    // Interleaved, so that a load that comes and goes meets all of them.
    for _ in 0..wanted.rounds.map_or(1, NonZero::get) {
        for (row, boots) in TABLE.iter().zip(&mut timed) {
            boots.push(booted(&guests, row, suite.name())?);
        }
    }
    let boots: Vec<Boot> = timed.into_iter().filter_map(median).collect();
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

/// The boot with the median time until ready, and the spread of all if there are several.
fn median(mut boots: Vec<Boot>) -> Option<Boot> {
    boots.sort_by(|one, other| one.ready.total_cmp(&other.ready));
    let spread = |of: fn(&Boot) -> f64| {
        let all = || boots.iter().map(of);
        (
            all().fold(f64::INFINITY, f64::min),
            all().fold(0.0, f64::max),
        )
    };
    let spread = (boots.len() > 1).then(|| Spread {
        rounds: boots.len(),
        ready: spread(|boot| boot.ready),
        container: spread(|boot| boot.container),
    });
    let middle = boots.get(boots.len() / 2)?.clone();
    Some(Boot { spread, ..middle })
}

fn booted(guests: &Guests, row: &Booted, suite: &'static str) -> Result<Boot> {
    let step = Step::spinner(&format!("boot: {suite}: {}", row.name));
    let console = console(guests, row.file, WITHIN, lines::ends)?;
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
        spread: None,
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

    #[test]
    fn the_median_keeps_the_spread() {
        let boot = |ready, container| Boot {
            suite: "trixie",
            name: "a",
            pid_1: 1.0,
            ready,
            container,
            spread: None,
            engine: Value::Null,
            moments: Vec::new(),
        };
        let median =
            |boots: &[(f64, f64)]| median(boots.iter().map(|(a, b)| boot(*a, *b)).collect());
        let three = median(&[(30.0, 31.0), (10.0, 90.0), (20.0, 25.0)]).unwrap();
        assert_eq!((three.ready, three.container), (20.0, 25.0));
        let spread = three.spread.unwrap();
        assert_eq!(
            (spread.rounds, spread.ready, spread.container),
            (3, (10.0, 30.0), (25.0, 90.0))
        );
        assert!(median(&[(10.0, 90.0)]).unwrap().spread.is_none());
        assert!(median(&[]).is_none());
    }
}
