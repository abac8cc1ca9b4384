//! How many guests have booted: a run with --guests fails if there are fewer.

/// How many guests have reached PID 1.
#[derive(Debug, Default)]
pub(super) struct Booted {
    pub(super) count: usize,
    /// The guests that have not.
    pub(super) missing: Vec<&'static str>,
    /// How many of them may be missing, because their download has leave.
    pub(super) allowed: usize,
}

impl Booted {
    /// Why the run has failed, if fewer have booted than it names.
    pub(super) fn fewer_than(&self, named: usize) -> Option<String> {
        (self.count + self.allowed < named).then(|| {
            let missing = match self.missing.as_slice() {
                [] => "the others were not chosen".to_owned(),
                missing => format!("not: {}", missing.join(" ")),
            };
            format!(
                "--guests names {named}, and {} have reached PID 1 ({} may be missing); {missing}",
                self.count, self.allowed
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_fewer_guests_than_named_are_a_failure_that_names_both_numbers() {
        let booted = |count, missing: &[&'static str], allowed| Booted {
            count,
            missing: missing.to_vec(),
            allowed,
        };
        assert_eq!(booted(3, &[], 0).fewer_than(3), None);
        assert_eq!(booted(2, &["sid-disk"], 1).fewer_than(3), None);
        for (booted, named, told) in [
            (booted(2, &["disk"], 0), 3, "names 3, and 2 have"),
            (booted(0, &["disk", "sid-disk"], 1), 2, "not: disk sid-disk"),
            (Booted::default(), 1, "names 1, and 0 have"),
        ] {
            let fault = booted.fewer_than(named).expect(told);
            assert!(fault.contains(told), "{fault}");
        }
    }
}
