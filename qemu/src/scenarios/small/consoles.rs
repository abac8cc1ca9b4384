//! A console whose output is held by ^S, as by a terminal server or by mistake.

use super::builder::{Scenario, Step, WITH_MODULES, small};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    machine::HOLD,
};

/// The console is held until the end: neither the signal nor the shutdown waits for a line of the log.
const ENDED: &[Expect] = &[
    Told(&[
        "READY=1",
        "fills",
        "the console is held",
        "waits",
        "SIGTERM",
    ]),
    CleanDisk,
    Ends(End::PowerOff),
];

/// The daemon dies while the console is held, and is started again.
const ENDED_TWICE: &[Expect] = &[
    Told(&[
        "READY=1",
        "fills",
        "the console is held",
        "start 1",
        "READY=1",
        "fills",
        "the console is held",
        "start 2",
        "waits",
        "SIGTERM",
    ]),
    CleanDisk,
    Ends(End::PowerOff),
];

const WHEN_READY: &[Step] = &[Step::Told("fills"), Step::Type(HOLD)];
/// Before PID 1 has written its first line.
const FROM_THE_START: &[Step] = &[Step::Console(&[" as init process"]), Step::Type(HOLD)];
const THEN_THE_BUTTON: &[Step] = &[
    Step::Told("fills"),
    Step::Type(HOLD),
    Step::Told("waits"),
    Step::PowerButton,
];

const TO_THE_END: &[&str] = &["--probe=ready,fill-console,signal:38,wait"];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "case-b3",
        "a machine powers off although its console is held",
        &[ENDED],
    )
    .words(TO_THE_END)
    .lived(WHEN_READY),
    small(
        "case-b3-start",
        "the console is held while PID 1 prepares the machine",
        &[ENDED],
    )
    .words(TO_THE_END)
    .lived(FROM_THE_START)
    .long(),
    small(
        "case-b3-restart",
        "the daemon dies while the console is held, and is started again",
        &[ENDED_TWICE],
    )
    .words(&["--probe=ready,fill-console,fail:1,signal:38,wait"])
    .lived(WHEN_READY)
    .long(),
    small(
        "case-b3-button",
        "the power button of a machine whose console is held",
        &[ENDED],
    )
    .groups(WITH_MODULES)
    .words(&["--probe=ready,fill-console,wait"])
    .lived(THEN_THE_BUTTON)
    .long(),
];
