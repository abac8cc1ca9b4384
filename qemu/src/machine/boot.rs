//! Starts a machine. Emulation has faults of its own: a guest that dies of one is started once more, with a note.

use std::{sync::atomic::Ordering, thread, time::Duration};

use anyhow::{Context, Result};

use super::{guest::Guest, settings::Machine};

/// Emulated, and with other guests beside it, the kernel takes up to 20 s.
const STARTS_WITHIN: Duration = Duration::from_secs(120);

impl Machine {
    /// Starts it once. Returns as soon as QEMU answers, while the guest boots.
    pub fn start(&self) -> Result<Guest> {
        Guest::start(self).with_context(|| format!("start the guest `{}`", self.name))
    }

    /// Starts it and waits until `ready` succeeds. If the guest dies of a fault of the emulator before that, it is started once
    /// more, and the last of the returned values is a note for the report.
    pub fn boot<T>(
        &self,
        ready: impl Fn(&Guest) -> Result<T>,
    ) -> Result<(Guest, T, Option<String>)> {
        let (first, attempt) = self.attempt(&ready)?;
        let error = match attempt {
            Ok(value) => return Ok((first, value, None)),
            Err(error) => error,
        };
        let Some(fault) = first.emulator_fault() else {
            return Err(first.explain(error));
        };
        let note = format!("guest `{}`: {fault}; started once more", self.name);
        eprintln!("note: {note}");
        drop(first);
        let (second, attempt) = self.attempt(&ready)?;
        match attempt {
            Ok(value) => Ok((second, value, Some(note))),
            Err(error) => Err(second.explain(error.context(note))),
        }
    }

    fn attempt<T>(&self, ready: impl Fn(&Guest) -> Result<T>) -> Result<(Guest, Result<T>)> {
        let guest = self.start()?;
        let attempt = ready(&guest);
        if guest.reached_pid_1() {
            self.reached_pid_1.store(true, Ordering::Relaxed);
        }
        Ok((guest, attempt))
    }

    /// Starts it, and cuts its power this long after the start of PID 1: QEMU is killed. What the guest's kernel has written to
    /// its disks stays, because it is in this machine's page cache; what only the guest's memory had is lost.
    pub fn cut(&self, after: Duration) -> Result<()> {
        let machine = Self {
            name: format!("{}-cut", self.name),
            ..self.clone()
        };
        let (guest, line, _) = machine.boot(|guest| guest.wait_for_start(STARTS_WITHIN))?;
        thread::sleep(after.saturating_sub(line.at.elapsed()));
        guest
            .alive()
            .context("the guest ended before its power was cut")?;
        drop(guest);
        Ok(())
    }
}
