//! The floor.
#![no_std]
#![no_main]

#[unsafe(no_mangle)]
extern "C" fn main(_: u64, _: *const usize) -> ! {
    stopwatch::exit(1)
}
