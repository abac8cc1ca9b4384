//! Guests with the probe in place of dockerd.

mod appliances;
mod boots;
mod cgroups;
mod consoles;
mod cuts;
mod daemons;
mod endings;
mod ends;
mod failures;
mod full;
mod layouts;
mod line;
mod lives;
mod networks;
mod oldest;
mod refusals;

use super::{Change, Ends, Root, Scenario, Size, Small, Step, When};
use crate::{checks::expect::Expect, disks::Disk, image::table::Group, suites::Suite};

/// The cloud kernel's drivers of disks, networks and buttons are modules, and something has to load them.
const WITH_MODULES: &[Group] = &[
    Group::Program,
    Group::System,
    Group::Busybox,
    Group::Modprobe,
    Group::Modules,
];

pub(super) const TABLE: &[&[Scenario]] = &[
    boots::TABLE,
    appliances::roots::TABLE,
    appliances::states::TABLE,
    appliances::disks::TABLE,
    appliances::names::TABLE,
    cgroups::TABLE,
    layouts::TABLE,
    line::TABLE,
    consoles::TABLE,
    cuts::TABLE,
    daemons::TABLE,
    endings::TABLE,
    ends::TABLE,
    failures::TABLE,
    full::TABLE,
    lives::TABLE,
    networks::TABLE,
    oldest::TABLE,
    refusals::TABLE,
];

/// What it says: the plain image has no modules and no modprobe, and the plain kernel has nothing that Docker needs built in.
const NO_MODULES: &[&str] = &[
    "warning: there is no modprobe in PATH",
    "overlay",
    "bridge",
    "veth",
];
const QUIET: &[Expect] = &[Expect::SaysOnly(&[NO_MODULES])];

type Expectations = &'static [&'static [Expect]];

/// The plain one: trixie's kernel, a disk, and nothing that is not needed.
pub(super) const fn small(name: &'static str, why: &'static str, expect: Expectations) -> Scenario {
    let small = Small {
        groups: Group::BARE,
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

/// What the rows of the tables change of the plain one.
impl Scenario {
    const fn on(self, suite: Suite, root: Root) -> Self {
        Self {
            suite,
            root,
            ..self
        }
    }

    pub(super) const fn append(self, append: &'static [&'static str]) -> Self {
        Self { append, ..self }
    }

    const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    const fn features(self, features: &'static [&'static str]) -> Self {
        Self {
            features: Some(features),
            ..self
        }
    }

    const fn long(self) -> Self {
        Self {
            when: When::Long,
            ..self
        }
    }

    const fn image(self, image: &'static [Change]) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { image, ..small }),
            ..self
        }
    }

    pub(super) const fn groups(self, groups: &'static [Group]) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { groups, ..small }),
            ..self
        }
    }

    const fn ends(self, ends: Ends) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { ends, ..small }),
            ..self
        }
    }

    const fn disks(self, disks: &'static [Disk]) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { disks, ..small }),
            ..self
        }
    }

    /// It is booted twice.
    const fn again(self, again: Expectations) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { again, ..small }),
            ..self
        }
    }

    /// Each time the power was cut before.
    const fn cuts(self, cuts: &'static [u32]) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small { cuts, ..small }),
            ..self
        }
    }

    const fn clock(self, clock: &'static str) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small {
                clock: Some(clock),
                ..small
            }),
            ..self
        }
    }

    /// Its root disk cannot be written.
    const fn protected(self) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        let protected = true;
        Self {
            size: Size::Small(Small { protected, ..small }),
            ..self
        }
    }

    pub(super) const fn refused(self) -> Self {
        self.ends(Ends::Refused)
    }

    /// It lives until these steps, or the daemon's own words, have ended it.
    const fn lived(self, steps: &'static [Step]) -> Self {
        let Size::Small(small) = self.size else {
            return self;
        };
        Self {
            size: Size::Small(Small {
                steps,
                ends: Ends::Lived,
                ..small
            }),
            ..self
        }
    }
}
