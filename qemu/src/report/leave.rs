//! Which downloads may be missing in a strict run, which allows nothing else to be skipped. A row has a date and a reason; after
//! `LASTS` days it fails the run until somebody looks at it again.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::packages::{python, suites};

/// A download that may be missing.
#[derive(Debug)]
pub(super) struct Leave {
    /// A set of packages by its name in the cache, or `python-docker`.
    pub(super) download: &'static str,
    /// The day on which somebody last saw that the row is needed: YYYY-MM-DD.
    pub(super) since: &'static str,
    pub(super) why: &'static str,
}

pub(super) const TABLE: &[Leave] = &[Leave {
    download: "sid",
    since: "2026-11-23",
    why: "sid moves: on some days its packages do not fit together",
}];

/// How many days a row is valid.
const LASTS: i64 = 60;

/// The row for a download, if it is still valid.
pub(super) fn find<'a>(table: &'a [Leave], download: &str, today: i64) -> Option<&'a Leave> {
    let rows = table.iter().filter(|leave| leave.fault(today).is_none());
    rows.into_iter().find(|leave| leave.download == download)
}

/// What is wrong with rows of the table.
pub(super) fn faults(table: &[Leave], today: i64) -> Vec<String> {
    let faults = table.iter().filter_map(|leave| {
        let fault = leave.fault(today)?;
        Some(format!("the leave for `{}`: {fault}", leave.download))
    });
    faults.collect()
}

impl Leave {
    fn fault(&self, today: i64) -> Option<String> {
        let Some(since) = day(self.since) else {
            return Some(format!("`{}` is no date", self.since));
        };
        let age = today - since;
        if !is_download(self.download) {
            Some("this is no download, and nothing else may be missing".into())
        } else if self.why.trim().is_empty() {
            Some("it has no reason".into())
        } else if age < 0 {
            Some(format!("{} has not come yet", self.since))
        } else if age > LASTS {
            Some(format!("it is {age} days old, and lasts {LASTS}"))
        } else {
            None
        }
    }
}

fn is_download(name: &str) -> bool {
    name == python::DOWNLOAD || suites::downloads().any(|download| download == name)
}

/// Today, in days since 1970.
pub(super) fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / 86_400) as i64)
}

/// YYYY-MM-DD in days since 1970: https://howardhinnant.github.io/date_algorithms.html#days_from_civil
fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| digits)
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !valid || parts.next().is_some() {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Leave = Leave {
        download: "sid",
        since: "2026-11-23",
        why: "it moves",
    };

    fn fault(leave: Leave, today: &str) -> String {
        leave.fault(day(today).unwrap()).unwrap_or_default()
    }

    #[test]
    fn g2_a_leave_ends_after_sixty_days() {
        let age = |today: &str| day(today).unwrap() - day("2026-11-23").unwrap();
        assert_eq!((age("2027-01-22"), age("2027-01-23")), (60, 61));
        let found = |today: &str| find(&[GOOD], "sid", day(today).unwrap()).is_some();
        assert!(found("2026-11-23") && found("2027-01-22"));
        assert!(!found("2027-01-23") && !found("2026-11-22"));
        let faults = faults(&[GOOD], day("2027-01-23").unwrap());
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("it is 61 days old"), "{faults:?}");
    }

    #[test]
    fn g2_a_wrong_leave_is_a_fault() {
        let on = "2026-12-01";
        let wrong = |leave: Leave, what: &str| {
            let fault = fault(leave, on);
            assert!(fault.contains(what), "{fault}");
        };
        assert_eq!(fault(GOOD, on), "");
        for download in ["disk", "sid-disk", "", "s", "trixie-nothing", "kernel"] {
            wrong(Leave { download, ..GOOD }, "no download");
        }
        for since in [
            "",
            "yesterday",
            "2026-13-01",
            "26-11-23",
            "2026-11-23-1",
            "2026-1-+3",
        ] {
            wrong(Leave { since, ..GOOD }, "no date");
        }
        wrong(Leave { why: " ", ..GOOD }, "no reason");
        wrong(
            Leave {
                since: "2026-12-02",
                ..GOOD
            },
            "not come yet",
        );
        for download in ["trixie", "trixie-servers", "bookworm-root", "python-docker"] {
            assert_eq!(fault(Leave { download, ..GOOD }, on), "");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2024-02-29").unwrap() + 1, day("2024-03-01").unwrap());
        assert!(today() > day("2026-01-01").unwrap());
    }
}
