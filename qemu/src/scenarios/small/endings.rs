//! How the machine ends: who can request it, the steps, and the state of the disk.

use super::builder::{Group, Scenario, Step, WITH_MODULES, small};
use crate::checks::expect::{
    End,
    Expect::{self, *},
};

/// With poweroff, reboot and halt, which send signals to PID 1.
pub(super) const WITH_BUSYBOX: &[Group] = &[Group::Program, Group::System, Group::Busybox];

/// The daemon gets one SIGTERM, and the disk is clean.
const ASKED_ONCE: &[Expect] = &[Told(&["READY=1", "waits", "SIGTERM"]), CleanDisk];
const POWERED_OFF: &[Expect] = &[Ends(End::PowerOff)];
const REBOOTED: &[Expect] = &[Ends(End::Reboot)];
const HALTED: &[Expect] = &[Ends(End::Halt)];

/// A halted machine does not end, so the harness cuts its power.
const UNTIL_HALTED: &[Step] = &[Step::Console(&["reboot: System halted"]), Step::Cut];

pub(in crate::scenarios) const TABLE: &[Scenario] = &[
    small(
        "supervise-poweroff",
        "busybox's poweroff, as a user types it",
        &[ASKED_ONCE, POWERED_OFF],
    )
    .groups(WITH_BUSYBOX)
    .words(&["--probe=ready,run:/usr/sbin/poweroff,wait"])
    .lived(&[]),
    small(
        "supervise-reboot",
        "busybox's reboot",
        &[ASKED_ONCE, REBOOTED],
    )
    .groups(WITH_BUSYBOX)
    .words(&["--probe=ready,run:/usr/sbin/reboot,wait"])
    .lived(&[]),
    small("supervise-halt", "busybox's halt", &[ASKED_ONCE, HALTED])
        .groups(WITH_BUSYBOX)
        .words(&["--probe=ready,run:/usr/sbin/halt,wait"])
        .lived(UNTIL_HALTED),
    small(
        "supervise-signal-37",
        "systemd's SIGRTMIN+3, counted from 34 as Docker and systemd do",
        &[ASKED_ONCE, HALTED],
    )
    .words(&["--probe=ready,signal:37,wait"])
    .lived(UNTIL_HALTED),
    small(
        "supervise-signal-38",
        "SIGRTMIN+4 (case-b3 sends it, too)",
        &[ASKED_ONCE, POWERED_OFF],
    )
    .words(&["--probe=ready,signal:38,wait"])
    .lived(&[])
    .long(),
    small("supervise-signal-39", "SIGRTMIN+5", &[ASKED_ONCE, REBOOTED])
        .words(&["--probe=ready,signal:39,wait"])
        .lived(&[]),
    small(
        "supervise-ctrl-alt-del",
        "ctrl-alt-del becomes a signal to PID 1, instead of an immediate reset",
        &[ASKED_ONCE, REBOOTED],
    )
    .words(&["--probe=ready,wait"])
    .lived(&[Step::Told("waits"), Step::Keys(CTRL_ALT_DEL)]),
    small(
        "supervise-power-button",
        "the machine's power button, which the kernel only reports",
        &[ASKED_ONCE, POWERED_OFF],
    )
    .groups(WITH_MODULES)
    .words(&["--probe=ready,wait"])
    .lived(&[Step::Told("waits"), Step::PowerButton]),
];

pub(super) const CTRL_ALT_DEL: &[&str] = &["ctrl", "alt", "delete"];
