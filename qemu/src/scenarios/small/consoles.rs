//! A console that nobody reads: held by ^S, as a terminal server or a careless hand does it.

use super::{Scenario, Step, small};
use crate::{
    checks::expect::{
        End,
        Expect::{self, *},
    },
    machine::HOLD,
};

/// It is held until the end: neither the signal nor what it leads to waits for a line of the log.
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

pub(in crate::scenarios) const TABLE: &[Scenario] = &[small(
    "case-b3",
    "a machine whose console is held powers off all the same",
    &[ENDED],
)
.words(&["--probe=ready,fill-console,signal:38,wait"])
.lived(&[Step::Told("fills"), Step::Type(HOLD)])];
