//! Makes the rows of small scenarios: one plain scenario, and what a row changes of it.

use crate::checks::{When, expect::Expect};
pub(super) use crate::{
    disks::Disk,
    image::{Change, Group},
    packages::suites::Suite,
    scenarios::{
        probed::{Ends, Small, Step},
        scenario::{Root, Scenario, Size},
    },
};

/// With the cloud kernel's modules, among them its drivers of disks, networks and buttons, and with what loads them.
pub(in crate::scenarios) const WITH_MODULES: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Modules,
];

/// The warning of the plain image: it has neither modules nor modprobe, and the plain kernel has built in nothing that Docker
/// needs.
pub(in crate::scenarios) const NO_MODULES: &[&str] = &[
    "warning: there is no modprobe in PATH",
    "overlay",
    "bridge",
    "veth",
];
pub(in crate::scenarios) const QUIET: &[Expect] = &[Expect::SaysOnly(&[NO_MODULES])];

pub(in crate::scenarios) type Expectations = &'static [&'static [Expect]];

/// The plain scenario: trixie's kernel, a disk, and the smallest image.
pub(in crate::scenarios) const fn small(
    name: &'static str,
    why: &'static str,
    expect: Expectations,
) -> Scenario {
    let small = Small {
        groups: Group::BARE,
        unsigned_modules: false,
        image: &[],
        steps: &[],
        ends: Ends::Reported,
        expect,
        disks: &[],
        again: &[],
        cuts: &[],
        clock: None,
        protected: false,
    };
    Scenario {
        name,
        why,
        suite: Suite::Trixie,
        root: Root::Disk,
        append: &[],
        words: &[],
        features: None,
        size: Size::Small(small),
        when: When::Default,
    }
}

/// A setter of each field of `Small` that rows change.
macro_rules! setters {
    ($($(#[$about:meta])* $field:ident: $kind:ty;)*) => {$(
        $(#[$about])*
        pub(in crate::scenarios) const fn $field(self, $field: $kind) -> Self {
            let small = self.small();
            self.with(Small { $field, ..small })
        }
    )*};
}

/// What the rows change of the plain scenario.
impl Scenario {
    setters! {
        image: &'static [Change];
        groups: &'static [Group];
        unsigned_modules: bool;
        ends: Ends;
        disks: &'static [Disk];
        /// It is booted twice.
        again: Expectations;
        /// The power was cut before each boot.
        cuts: &'static [u32];
        steps: &'static [Step];
        /// Whether its root disk is write-protected.
        protected: bool;
    }

    pub(in crate::scenarios) const fn clock(self, clock: &'static str) -> Self {
        let small = self.small();
        self.with(Small {
            clock: Some(clock),
            ..small
        })
    }

    pub(in crate::scenarios) const fn refused(self) -> Self {
        self.ends(Ends::Refused)
    }

    /// It runs until these steps, or the daemon's arguments, end it.
    pub(in crate::scenarios) const fn lived(self, steps: &'static [Step]) -> Self {
        self.steps(steps).ends(Ends::Lived)
    }

    pub(in crate::scenarios) const fn on(self, suite: Suite, root: Root) -> Self {
        Self {
            suite,
            root,
            ..self
        }
    }

    pub(in crate::scenarios) const fn append(self, append: &'static [&'static str]) -> Self {
        Self { append, ..self }
    }

    pub(in crate::scenarios) const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    pub(in crate::scenarios) const fn features(self, list: &'static [&'static str]) -> Self {
        let features = Some(list);
        Self { features, ..self }
    }

    pub(in crate::scenarios) const fn long(self) -> Self {
        let when = When::Long;
        Self { when, ..self }
    }

    const fn small(self) -> Small {
        match self.size {
            Size::Small(small) => small,
            Size::Large(_) => panic!("this is for small scenarios"),
        }
    }

    const fn with(self, small: Small) -> Self {
        let size = Size::Small(small);
        Self { size, ..self }
    }
}
