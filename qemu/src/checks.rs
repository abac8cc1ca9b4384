//! What is checked, in tables: expectations of a small scenario (`expect`), questions to a real engine (`engine`).

pub(crate) mod engine;
pub(crate) mod expect;
pub(crate) mod seen;
