//! KVM or emulation, by trial: /dev/kvm may open and answer, and still hang every guest.
//!
//! The trial boots the kernel without a root and waits for the panic about it. The result is kept for a day, and for this boot of
//! the host, so that the trial runs once.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    acceleration::Acceleration,
    settings::{Machine, Root},
};
use crate::host::{paths, progress::Step};

/// With KVM this takes a second.
const LIMIT: Duration = Duration::from_secs(6);
const HOLDS: Duration = Duration::from_secs(24 * 60 * 60);

/// What the cache remembers.
#[derive(Serialize, Deserialize)]
struct Verdict {
    acceleration: Acceleration,
    reason: String,
    /// /proc/sys/kernel/random/boot_id
    boot: String,
}

/// The accelerator, and why.
pub fn find(kernel: &Path) -> Result<(Acceleration, String)> {
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return Ok((Acceleration::Emulation, format!("/dev/kvm: {error}")));
    }
    let file = paths::cache()?.join("acceleration.json");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if let Some(verdict) = remembered(&file, &boot) {
        return Ok((verdict.acceleration, verdict.reason));
    }
    let step = Step::spinner("KVM: booting a trial guest");
    let (acceleration, reason) = match trial(kernel) {
        Ok(()) => (Acceleration::Kvm, "a guest booted with it".to_owned()),
        Err(error) => (
            Acceleration::Emulation,
            format!("/dev/kvm is there, but a trial guest did not boot with it: {error:#}"),
        ),
    };
    step.done("KVM: tried");
    let verdict = Verdict {
        acceleration,
        reason,
        boot,
    };
    fs::write(&file, serde_json::to_vec(&verdict)?)?;
    Ok((verdict.acceleration, verdict.reason))
}

fn remembered(file: &Path, boot: &str) -> Option<Verdict> {
    let age = SystemTime::now()
        .duration_since(fs::metadata(file).ok()?.modified().ok()?)
        .ok()?;
    let verdict: Verdict = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    (age < HOLDS && verdict.boot == boot).then_some(verdict)
}

fn trial(kernel: &Path) -> Result<()> {
    let mut machine = Machine::new(
        "kvm-trial",
        kernel.to_owned(),
        Root::None,
        Acceleration::Kvm,
    );
    machine.network = false;
    machine.memory = 512;
    let guest = machine.start()?;
    guest.wait_for_line("the kernel's panic about its missing root", LIMIT, |line| {
        line.contains("VFS: Unable to mount root")
    })?;
    Ok(())
}
