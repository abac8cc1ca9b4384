//! dockerlaunch
#![no_std]
