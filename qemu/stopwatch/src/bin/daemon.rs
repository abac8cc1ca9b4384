//! Stands in for dockerd: its first instruction ends the measurement. It prints the instructions since `start` executed PID 1,
//! then PID 1's memory once that has come to rest, and ends the guest.
#![no_std]
#![no_main]

use core::ffi::CStr;
use linux_raw_sys::general::__NR_reboot;
use stopwatch::{BEGAN, call, contents, counter, exit, mount_proc, say, sleep, write};

/// PID 1 has nothing left to do then.
const REST: u32 = 1000;
const MEMORY: &CStr = c"/bench/proc/1/smaps_rollup";

#[unsafe(no_mangle)]
extern "C" fn main(now: u64, _: *const usize) -> ! {
    let mut buffer = [0; 4096];
    let began = contents(BEGAN, &mut buffer);
    let began = began.try_into().map_or(0, u64::from_le_bytes);
    say("launched", &[now.wrapping_sub(began), counter()]);
    sleep(REST);
    mount_proc();
    write(1, contents(MEMORY, &mut buffer));
    say("end", &[]);
    sleep(100);
    // SAFETY: no pointers: LINUX_REBOOT_MAGIC1, MAGIC2, CMD_RESTART.
    unsafe { call(__NR_reboot, [0xfee1_dead, 672_274_793, 0x0123_4567, 0, 0]) };
    exit(1)
}
