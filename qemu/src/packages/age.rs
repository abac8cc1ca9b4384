//! How old fetched files may be: they are current for a day, and a strict run refuses those of more than three days.

use std::time::Duration;

/// How long an index of packages, or an environment for Python, is current.
pub(super) const CURRENT: Duration = Duration::from_secs(24 * 60 * 60);

/// How old an index may be that a strict run takes from the cache because the mirror does not answer.
const OLDEST: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Why files of this age are not used; none: they are.
pub(super) fn too_old(age: Option<Duration>, strict: bool) -> Option<String> {
    (strict && age.is_none_or(|age| age > OLDEST)).then(|| {
        format!(
            "the packages in the cache are not used: their index is {}, and a strict run allows at most {}",
            told(age),
            told(Some(OLDEST))
        )
    })
}

/// An age for the reader.
pub(super) fn told(age: Option<Duration>) -> String {
    let Some(age) = age else {
        return "of unknown age".into();
    };
    match age.as_secs() / 3600 {
        hours @ ..48 => format!("{hours} hours old"),
        hours => format!("{} days old", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_a_strict_run_takes_no_old_set_from_the_cache() {
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 60 * 60));
        for age in [days(0), days(3), days(4), days(400), None] {
            assert_eq!(too_old(age, false), None);
        }
        assert_eq!(too_old(days(0), true), None);
        assert_eq!(too_old(days(3), true), None);
        assert!(too_old(days(4), true).unwrap().contains("4 days old"));
        assert!(too_old(None, true).unwrap().contains("unknown age"));
    }
}
