//! When a daemon that has ended is restarted: after 1, 2, 4 … 60 s, and after 1 s again once a daemon has run for 60 s.

/// A second in milliseconds; shorter in builds for tests.
pub(crate) const UNIT: u64 = match u64::from_str_radix(env!("DOCKERLAUNCH_BACKOFF_MS"), 10) {
    Ok(milliseconds) => milliseconds,
    Err(_) => panic!("DOCKERLAUNCH_BACKOFF_MS is no number"),
};
/// The longest wait, in units.
const LONGEST: u64 = 60;
/// A daemon that has run this long is healthy, in milliseconds.
const HEALTHY: u64 = 60_000;
/// This many failures in a row are a crash loop.
pub(crate) const LOOP: u32 = 5;

pub(crate) struct Backoff {
    /// How many daemons in a row have ended before they were healthy.
    pub(crate) failures: u32,
}

impl Backoff {
    /// The wait before the next daemon, after one that ran for `lived`, both in milliseconds.
    pub(crate) fn after(&mut self, lived: u64) -> u64 {
        if lived >= HEALTHY {
            self.failures = 0;
        }
        let wait = 1_u64
            .checked_shl(self.failures)
            .map_or(LONGEST, |units| units.min(LONGEST));
        self.failures = self.failures.saturating_add(1);
        wait * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff { failures: 0 };
        let waits: Vec<_> = (0..8).map(|_| backoff.after(59_999) / UNIT).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.after(0) / UNIT, 60);
        assert_eq!(backoff.failures, u32::MAX);
    }

    #[test]
    fn a_healthy_daemon_resets_the_wait() {
        let mut backoff = Backoff { failures: 6 };
        assert_eq!(backoff.after(60_000) / UNIT, 1);
        assert_eq!(backoff.after(0) / UNIT, 2);
    }
}
