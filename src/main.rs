//! The program.
#![no_std]
#![no_main]
mod start;
