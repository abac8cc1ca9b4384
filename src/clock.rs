//! A clock that stands before the day this program was built is wrong, and no certificate is valid for it yet: machines
//! without a battery start in 1970 or 2000. The hardware clock is asked first, which a kernel without its driver built in
//! has not done.

use crate::{
    fs,
    launch::Launch,
    role,
    settings::Role,
    sys,
    text::{Decimal, number, trim},
};
use core::ffi::CStr;

/// Seconds since 1970: SOURCE_DATE_EPOCH of the build, else its commit's date, else its own.
const BUILT: u64 = match u64::from_str_radix(env!("DOCKERLAUNCH_BUILT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("SOURCE_DATE_EPOCH is not a number of seconds"),
};

/// Seconds since 1970 in UTC, as the first hardware clock has them.
const HARDWARE: &CStr = c"/sys/class/rtc/rtc0/since_epoch";

/// Sets the machine's clock if it is wrong; a clock that nobody can set is a warning, as pulls may still work.
pub(crate) fn set(launch: &Launch<'_>) {
    let ours = launch.role == Role::Machine && role::in_first_namespace();
    if !ours || sys::clock() >= BUILT {
        return;
    }
    let mut buffer = [0; 32];
    let hardware = fs::read_small(HARDWARE, &mut buffer)
        .ok()
        .and_then(|text| number(trim(text)))
        .filter(|seconds| *seconds >= BUILT);
    let (seconds, whence): (_, &[u8]) = match hardware {
        Some(seconds) => (seconds, b"the hardware clock"),
        None => (BUILT, b"this program's build date, which is too early, too: set the hardware clock, or run an NTP client"),
    };
    let done: &[u8] = match sys::set_clock(seconds) {
        Ok(()) => b" s since 1970, from ",
        Err(_) => b" s since 1970 is refused by the kernel, from ",
    };
    launch.log.warning(&[
        b"the clock stood before the build date; set to ",
        Decimal::new(seconds).as_bytes(),
        done,
        whence,
    ]);
}
