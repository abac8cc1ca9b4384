//! What is checked, in tables: what a small scenario expects (`expect`), what a real engine is asked (`engine`), what it does with
//! and without each of its prerequisites (`prerequisites`), an engine in a container (`nested`), what an image holds (`image`).
//! Uses `engine` and everything below it; it does not know which guest a check runs in.

pub(crate) mod engine;
pub(crate) mod expect;
pub(crate) mod image;
pub(crate) mod nested;
pub(crate) mod pages;
pub(crate) mod prerequisites;
pub(crate) mod restarts;
pub(crate) mod seen;
mod when;

pub(crate) use when::When;
