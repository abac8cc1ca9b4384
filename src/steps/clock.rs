//! A clock that is before the build date of this program is wrong, and certificates are not valid yet: machines without a
//! battery start in 1970 or 2000. The step reads the hardware clock first: a kernel that has its driver as a module has not
//! done so.

use crate::{
    error::{Step, reason},
    fs::{self, Lookup},
    launch::Launch,
    sys,
    text::{Decimal, number, trim},
};
use core::ffi::CStr;

/// Seconds since 1970: SOURCE_DATE_EPOCH of the build, else the commit's date, else the date of the build.
const BUILT: u64 = match u64::from_str_radix(env!("DOCKERLAUNCH_BUILT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("SOURCE_DATE_EPOCH is not a number of seconds"),
};

/// Seconds since 1970 in UTC, from the first hardware clock.
const HARDWARE: &CStr = c"/sys/class/rtc/rtc0/since_epoch";

/// Sets the machine's clock if it is wrong. A failure is a warning, because pulls may still work.
pub(crate) fn set(launch: &Launch<'_>) {
    if !launch.owns_machine || sys::clock() >= BUILT {
        return;
    }
    let mut buffer = [0; 32];
    let hardware =
        fs::read_small(HARDWARE, &mut buffer).if_exists_or_warn(launch.log, Step::Clock, HARDWARE);
    let (seconds, source) = better(hardware.unwrap_or_default());
    let (done, why) = match sys::set_clock(seconds) {
        Ok(()) => ("it is set to ", ""),
        Err(errno) => ("the kernel refuses to set it to ", reason(errno)),
    };
    launch.log.warning(
        "the clock is before the build date; {}{} s since 1970, from {}{}{}",
        &[
            done.as_bytes(),
            Decimal::new(seconds).as_bytes(),
            source,
            if why.is_empty() { b"" } else { b": " },
            why.as_bytes(),
        ],
    );
}

/// The time to set, and its source: the hardware clock, unless it is wrong too.
fn better(hardware: &[u8]) -> (u64, &'static [u8]) {
    match number(trim(hardware)) {
        Some(seconds) if seconds >= BUILT => (seconds, b"the hardware clock"),
        _ => (
            BUILT,
            b"this program's build date, as the hardware clock is wrong too: set it, or run an NTP client",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, time::SystemTime};

    #[test]
    fn the_build_date_is_in_the_past() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        assert!((1_700_000_000..=now.unwrap().as_secs()).contains(&BUILT));
    }

    #[test]
    fn a_wrong_hardware_clock_is_ignored() {
        let later = BUILT + 86_400;
        let text = format!("{later}\n");
        assert_eq!(better(text.as_bytes()).0, later);
        assert!(better(text.as_bytes()).1.starts_with(b"the hardware"));
        for wrong in ["", "0\n", "-3600\n", "946684800\n", "x"] {
            assert_eq!(better(wrong.as_bytes()).0, BUILT, "{wrong}");
        }
    }
}
