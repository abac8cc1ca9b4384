//! The large scenarios: engines on machines (`engines`), as an appliance, in containers (`nested`), with all clients.

mod appliances;
mod builder;
mod clients;
mod engines;
mod nested;

use super::scenario::Scenario;

pub(super) use builder::{TWO, large};

/// Every table. A new file of large scenarios needs a row here.
pub(super) const TABLES: &[&[Scenario]] = &[
    engines::TABLE,
    appliances::TABLE,
    nested::TABLE,
    clients::TABLE,
];
