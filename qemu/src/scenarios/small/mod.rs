//! The small scenarios, a file for each topic.

mod appliances;
mod boots;
mod builder;
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

use super::scenario::Scenario;

pub(super) use builder::small;

/// Every table. A new file of small scenarios needs a row here.
pub(super) const TABLES: &[&[Scenario]] = &[
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
