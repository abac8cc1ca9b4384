//! When something happened in a guest, in milliseconds since its kernel began: read from the lines of the kernel, of dockerlaunch, of
//! dockerd and containerd, and of the client beside them, each with its own clock.

use serde::Serialize;

use super::lines;
use crate::machine::SPEAKER;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) who: Who,
    pub(crate) what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    Kernel,
    Dockerlaunch,
    Containerd,
    Dockerd,
    Client,
}

const STEPS: &[&str] = &["answers", "imported", "created", "started", "container"];

/// All moments of a console, in its order. The line `bench: clocks` has the same moment on the kernel's clock and on the wall's.
pub(super) fn moments(console: &[String]) -> Vec<Moment> {
    let clocks = lines::numbers(console, "clocks").unwrap_or_default();
    let [boot, wall] = clocks[..] else {
        return Vec::new();
    };
    let mut moments = Vec::new();
    for line in console {
        let moment = kernel(line)
            .or_else(|| dockerlaunch(line))
            .or_else(|| logged(line, wall.saturating_sub(boot)))
            .or_else(|| client(line));
        moments.extend(moment);
    }
    moments
}

/// `[    1.473438] Run /bench/start as init process`
fn kernel(line: &str) -> Option<Moment> {
    let (seconds, said) = line.strip_prefix('[')?.split_once("] ")?;
    let seconds: f64 = seconds.trim().parse().ok()?;
    Some(Moment {
        at: seconds * 1e3,
        who: Who::Kernel,
        what: said.to_owned(),
    })
}

/// `dockerlaunch: [1688 ms] modules: …` and `dockerlaunch: docker is ready, 9876 ms after kernel start`
fn dockerlaunch(line: &str) -> Option<Moment> {
    let said = line.strip_prefix(SPEAKER)?;
    let (at, what) = match said
        .strip_prefix('[')
        .and_then(|said| said.split_once(" ms] "))
    {
        Some(timed) => timed,
        None => {
            let (what, at) = said.split_once(", ")?;
            (at.strip_suffix(" ms after kernel start")?, what)
        }
    };
    Some(Moment {
        at: at.parse().ok()?,
        who: Who::Dockerlaunch,
        what: what.to_owned(),
    })
}

/// `INFO[2040-01-01T00:00:03.5Z] API listen on /run/docker.sock`: dockerd, and containerd, whose output is dockerd's.
fn logged(line: &str, offset: u64) -> Option<Moment> {
    let (level, rest) = line.split_once('[')?;
    let (time, said) = rest.split_once("] ")?;
    if level.is_empty() || !level.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let nanoseconds = since_1970(time)?.checked_sub(offset)?;
    let of_containerd = |start: &&str| said.starts_with(start);
    Some(Moment {
        at: nanoseconds as f64 / 1e6,
        who: if CONTAINERD.iter().any(of_containerd) {
            Who::Containerd
        } else {
            Who::Dockerd
        },
        // Fields follow, behind spaces.
        what: said.split("  ").next()?.trim().to_owned(),
    })
}

/// How containerd's lines begin.
const CONTAINERD: &[&str] = &[
    "starting containerd",
    "loading plugin",
    "skip loading plugin",
    "metadata content store",
    "NRI interface",
    "serving...",
    "containerd successfully booted",
    "Start ",
];

/// `bench: answers 5123456789`
fn client(line: &str) -> Option<Moment> {
    let said = line.strip_prefix("bench: ")?;
    let (what, at) = said.split_once(' ')?;
    if !STEPS.contains(&what) {
        return None;
    }
    Some(Moment {
        at: at.parse::<u64>().ok()? as f64 / 1e6,
        who: Who::Client,
        what: what.to_owned(),
    })
}

/// Nanoseconds since 1970 of RFC 3339's `2040-01-01T00:00:03.5Z`, with a `Z`.
fn since_1970(time: &str) -> Option<u64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, sign| -> Option<Vec<u64>> {
        text.split(sign).map(|part| part.parse().ok()).collect()
    };
    let [year, month, day] = numbers(date, '-')?[..] else {
        return None;
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':')?[..] else {
        return None;
    };
    // Years begin in March here, so that a leap day ends one.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let fraction: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(seconds * 1_000_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_nanoseconds_since_1970() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500_000_000),
            ("2040-01-01T00:00:03.123456789Z", 2_208_988_803_123_456_789),
        ] {
            assert_eq!(since_1970(time), Some(expected), "{time}");
        }
        assert_eq!(since_1970("2040-01-01T00:00:03+01:00"), None);
    }

    #[test]
    fn each_clock_is_the_kernels() {
        let console: Vec<String> = [
            "[    1.500000] Run /bench/start as init process",
            "bench: clocks 1600000000 2208988801600000000",
            "dockerlaunch: [1700 ms] modules: loaded",
            "INFO[2040-01-01T00:00:02.5Z] starting containerd              revision=1",
            "INFO[2040-01-01T00:00:03Z] API listen on /run/docker.sock   ",
            "dockerlaunch: docker is ready, 3001 ms after kernel start",
            "bench: container 4000000000",
            "a line without a time",
        ]
        .map(str::to_owned)
        .into();
        let found = moments(&console);
        let at: Vec<f64> = found.iter().map(|moment| moment.at).collect();
        assert_eq!(at, [1500.0, 1700.0, 2500.0, 3000.0, 3001.0, 4000.0]);
        let who: Vec<Who> = found.iter().map(|moment| moment.who).collect();
        use Who::*;
        assert_eq!(
            who,
            [
                Kernel,
                Dockerlaunch,
                Containerd,
                Dockerd,
                Dockerlaunch,
                Client
            ]
        );
        assert_eq!(found[2].what, "starting containerd");
        assert_eq!(found[4].what, "docker is ready");
    }
}
