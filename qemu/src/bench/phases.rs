//! A boot as phases, which the chart draws: who worked at what, from when to when. A phase ends where the next line of the same
//! program says that it has ended.

use serde::Serialize;

use super::{
    boots::Boot,
    moments::{Moment, Who},
};

/// Who works in a phase: a line of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lane {
    Kernel,
    Pid1,
    Containerd,
    Dockerd,
    Container,
}

impl Lane {
    pub(crate) const ALL: &[Self] = &[
        Self::Kernel,
        Self::Pid1,
        Self::Containerd,
        Self::Dockerd,
        Self::Container,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Pid1 => "PID 1",
            Self::Containerd => "containerd",
            Self::Dockerd => "dockerd",
            Self::Container => "first container",
        }
    }
}

/// From and to in milliseconds since the kernel began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Phase {
    pub(crate) lane: Lane,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) what: String,
}

/// The lines of dockerd and containerd that end a phase, and what was done until then.
const DOCKERD: &[(&str, &str)] = &[
    ("Starting up", ""),
    ("Loading containers: start.", "containerd, storage"),
    ("Loading containers: done.", "networks"),
    ("API listen on ", "listens"),
];
const CONTAINERD: &[(&str, &str)] = &[
    ("starting containerd", ""),
    ("containerd successfully booted", "plugins"),
];
const CONTAINER: &[(&str, &str)] = &[
    ("answers", ""),
    ("imported", "import"),
    ("created", "create"),
    ("started", "start"),
    ("container", "run"),
];

/// A step of PID 1 that takes less, in milliseconds, is drawn with the next one.
const SHORT: f64 = 15.0;

pub(crate) fn phases(boot: &Boot) -> Vec<Phase> {
    let mut phases = vec![Phase {
        lane: Lane::Kernel,
        from: 0.0,
        to: boot.pid_1,
        what: "kernel".to_owned(),
    }];
    phases.extend(pid_1(boot));
    for (lane, who, lines) in [
        (Lane::Containerd, Who::Containerd, CONTAINERD),
        (Lane::Dockerd, Who::Dockerd, DOCKERD),
        (Lane::Container, Who::Client, CONTAINER),
    ] {
        phases.extend(between(&boot.moments, lane, who, lines));
    }
    phases
}

/// PID 1 until it starts dockerd: by its own lines, or as one phase if it has none.
fn pid_1(boot: &Boot) -> Vec<Phase> {
    let is_start = |moment: &&Moment| moment.who == Who::Dockerd && moment.what == DOCKERD[0].0;
    let Some(end) = boot.moments.iter().find(is_start) else {
        return Vec::new();
    };
    let mut from = boot.pid_1;
    let mut phases = Vec::new();
    let steps = boot.moments.iter().filter(|moment| {
        moment.who == Who::Dockerlaunch && moment.at > boot.pid_1 && moment.at < end.at
    });
    for step in steps {
        if step.at - from >= SHORT {
            phases.push(Phase {
                lane: Lane::Pid1,
                from,
                to: step.at,
                what: step.what.clone(),
            });
            from = step.at;
        }
    }
    let what = match phases.last() {
        None => boot.name,
        Some(_) => "executes dockerd",
    };
    phases.push(Phase {
        lane: Lane::Pid1,
        from,
        to: end.at,
        what: what.to_owned(),
    });
    phases
}

fn between(moments: &[Moment], lane: Lane, who: Who, lines: &[(&str, &str)]) -> Vec<Phase> {
    let mut phases = Vec::new();
    let mut from = None;
    for (start, what) in lines {
        let is_it = |moment: &&Moment| moment.who == who && moment.what.starts_with(start);
        let Some(moment) = moments.iter().find(is_it) else {
            continue;
        };
        if let Some(from) = from {
            phases.push(Phase {
                lane,
                from,
                to: moment.at,
                what: (*what).to_owned(),
            });
        }
        from = Some(moment.at);
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(moments: &[(f64, Who, &str)]) -> Boot {
        let moment = |(at, who, what): &(f64, Who, &str)| Moment {
            at: *at,
            who: *who,
            what: (*what).to_owned(),
        };
        Boot {
            suite: "trixie",
            name: "the name",
            pid_1: 100.0,
            ready: 900.0,
            container: 1000.0,
            spread: None,
            engine: serde_json::Value::Null,
            moments: moments.iter().map(moment).collect(),
        }
    }

    fn drawn(boot: &Boot) -> Vec<(Lane, f64, f64, String)> {
        let phases = phases(boot).into_iter();
        phases
            .map(|phase| (phase.lane, phase.from, phase.to, phase.what))
            .collect()
    }

    #[test]
    fn short_steps_are_drawn_with_the_next_one() {
        let boot = boot(&[
            (101.0, Who::Dockerlaunch, "mounted"),
            (300.0, Who::Dockerlaunch, "modules"),
            (301.0, Who::Dockerlaunch, "exec"),
            (400.0, Who::Dockerd, "Starting up"),
            (500.0, Who::Dockerd, "Loading containers: done."),
            (600.0, Who::Client, "answers"),
        ]);
        let drawn = drawn(&boot);
        assert_eq!(
            drawn,
            [
                (Lane::Kernel, 0.0, 100.0, "kernel".to_owned()),
                (Lane::Pid1, 100.0, 300.0, "modules".to_owned()),
                (Lane::Pid1, 300.0, 400.0, "executes dockerd".to_owned()),
                (Lane::Dockerd, 400.0, 500.0, "networks".to_owned()),
            ]
        );
    }

    #[test]
    fn a_silent_pid_1_is_one_phase() {
        let boot = boot(&[(400.0, Who::Dockerd, "Starting up")]);
        assert_eq!(
            drawn(&boot)[1],
            (Lane::Pid1, 100.0, 400.0, "the name".to_owned())
        );
    }
}
