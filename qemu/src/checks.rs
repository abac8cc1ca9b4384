//! What is checked, in tables: expectations of a small scenario (`expect`), questions to a real engine (`engine`), what
//! a real engine does with and without each of its prerequisites (`prerequisites`), an engine in a container (`nested`), what
//! an image holds (`image`).

pub(crate) mod engine;
pub(crate) mod expect;
pub(crate) mod image;
pub(crate) mod nested;
pub(crate) mod prerequisites;
pub(crate) mod restarts;
pub(crate) mod seen;
