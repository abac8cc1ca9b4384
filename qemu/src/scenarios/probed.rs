//! A small scenario: a guest with the probe in place of dockerd. It takes a few seconds.

use crate::{
    checks::expect::Expect,
    disks::Disk,
    image::{Change, Group},
};

/// The probe does what its arguments say, and reports; or PID 1 ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Small {
    /// The groups of files in the image. Without an engine, the probe is /usr/sbin/dockerd.
    pub(crate) groups: &'static [Group],
    /// The image's modules are without their signatures.
    pub(crate) unsigned_modules: bool,
    /// What the image has beside its groups.
    pub(crate) image: &'static [Change],
    /// What the harness does to the guest, until it ends.
    pub(crate) steps: &'static [Step],
    pub(crate) ends: Ends,
    pub(crate) expect: &'static [&'static [Expect]],
    /// The disks beside the root.
    pub(crate) disks: &'static [Disk],
    /// What is expected of a second boot of the same disks; if empty, there is none.
    pub(crate) again: &'static [&'static [Expect]],
    /// The power of a new machine is cut this many milliseconds after the start of PID 1; then `expect` applies to a boot of the
    /// same disks. If empty, there is one boot of a new machine.
    pub(crate) cuts: &'static [u32],
    /// What the hardware clock starts with.
    pub(crate) clock: Option<&'static str>,
    /// The root's disk is write-protected.
    pub(crate) protected: bool,
}

/// A boot of a small scenario with its expectations.
#[derive(Debug, Clone)]
pub(crate) struct Boot {
    /// The prefix of its checks' names.
    pub(crate) name: String,
    pub(crate) expect: &'static [&'static [Expect]],
    /// The disks are new.
    pub(crate) fresh: bool,
    /// Before it, the power of a new machine is cut this many milliseconds after the start of PID 1.
    pub(crate) cut: Option<u32>,
}

impl Small {
    pub(crate) fn boots(&self) -> Vec<Boot> {
        let boot = |name: String, expect, fresh, cut| Boot {
            name,
            expect,
            fresh,
            cut,
        };
        let first = match self.cuts {
            [] => vec![boot(String::new(), self.expect, true, None)],
            cuts => cuts
                .iter()
                .map(|after| boot(format!("{after}ms:"), self.expect, false, Some(*after)))
                .collect(),
        };
        let again =
            (!self.again.is_empty()).then(|| boot(AGAIN.to_owned(), self.again, false, None));
        first.into_iter().chain(again).collect()
    }
}

/// Something that the harness does to a running guest, or waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Waits for a line of the console with all these words.
    Console(&'static [&'static str]),
    /// Waits for this line of the probe.
    Told(&'static str),
    /// Presses keys of the PC's keyboard together, by QEMU's names.
    Keys(&'static [&'static str]),
    /// Presses the power button.
    PowerButton,
    /// Plugs in a disk that was absent.
    Plug(&'static str),
    /// Types on the console.
    Type(&'static str),
    /// Cuts the power.
    Cut,
}

/// How a small scenario must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The probe was started; it has reported and powered off, or ended as its arguments say.
    Reported,
    /// The boot failed as it should, and the daemon was not started: the kernel shows PID 1's exit status.
    Refused,
    /// As the expectations say; what the guest writes to its disk is kept.
    Lived,
}

/// The prefix of the names of a second boot's checks.
pub(crate) const AGAIN: &str = "again:";
