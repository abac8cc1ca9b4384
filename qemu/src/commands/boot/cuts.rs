//! Power cuts before a boot of `cargo qemu boot`: the engine must start after them, and no file of dockerlaunch may be empty.

use std::time::Duration;

use anyhow::Result;

use crate::{
    disks::{Drive, inspect},
    machine::{Machine, Root},
};

/// The last cut comes this long after the start of PID 1, the first immediately; most are early.
const LAST: Duration = Duration::from_secs(60);

/// What dockerlaunch writes below the root at the first boot.
const OURS: &[&str] = &[
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/machine-id",
];

/// The root on a copy of the image that outlives a boot.
pub(super) fn kept(root: Root) -> Result<Root> {
    Ok(match root {
        Root::Disk(drive) => Root::Disk(Drive::kept_root(drive.path, "boot")?),
        other => other,
    })
}

/// Boots the same disk this often, and cuts the power each time.
pub(super) fn make(machine: &Machine, count: u32) -> Result<()> {
    for number in 0..count {
        let mut machine = machine.clone();
        machine.fresh = number == 0;
        let after = moment(number, count);
        eprintln!(
            "cut {} of {count}: {:.1} s after the start of PID 1",
            number + 1,
            after.as_secs_f64()
        );
        machine.cut(after)?;
    }
    Ok(())
}

fn moment(number: u32, count: u32) -> Duration {
    let part = f64::from(number + 1) / f64::from(count.max(1));
    LAST.mul_f64(part * part)
}

/// An error if a file of dockerlaunch is empty or missing on the disk.
pub(super) fn whole(machine: &Machine) -> Result<()> {
    for drive in machine.kept() {
        inspect::holds(&drive.path, OURS)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cuts_are_spread_over_the_first_minute() {
        let moments: Vec<u64> = (0..20).map(|number| moment(number, 20).as_secs()).collect();
        assert_eq!((moments[0], moments[9], moments[19]), (0, 15, 60));
        assert!(moments.is_sorted());
        assert_eq!(moment(0, 1), LAST);
    }
}
