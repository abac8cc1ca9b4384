//! The machine that the harness runs on: its folders, its programs, and what the user sees of a long step. The lowest room:
//! it knows nothing of packages, images or guests, and uses no other room.

pub mod needs;
pub mod notes;
pub mod paths;
pub mod progress;
pub mod strict;
pub mod tools;
