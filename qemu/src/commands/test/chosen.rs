//! Which scenarios and checks a filter lets through, and how they are listed.

use crate::{
    checks::When,
    scenarios::{self, Scenario},
};

/// A scenario, with the checks that the filter lets through.
pub(super) struct Chosen {
    pub(super) scenario: &'static Scenario,
    pub(super) checks: Vec<String>,
}

/// The scenarios that a filter lets through, with --long all of them.
pub(super) fn chosen(filter: Option<&str>, long: bool) -> Vec<Chosen> {
    let wanted = |scenario: &&Scenario| long || scenario.when == When::Default;
    let choose = |scenario: &'static Scenario| {
        let fits =
            |check: &String| filter.is_none_or(|filter| full(scenario, check).contains(filter));
        Chosen {
            scenario,
            checks: scenario.checks().into_iter().filter(fits).collect(),
        }
    };
    scenarios::all()
        .filter(wanted)
        .map(choose)
        .filter(|chosen| !chosen.checks.is_empty())
        .collect()
}

/// A line of `--list`: a guest, or a suite's images.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) checks: Vec<String>,
}

/// A line for each scenario.
pub(super) fn lines(chosen: &[Chosen]) -> impl Iterator<Item = Line> {
    chosen.iter().map(|Chosen { scenario, checks }| {
        let size = if scenario.is_small() {
            "probe"
        } else {
            "engine"
        };
        let long = if scenario.when == When::Long {
            ", --long"
        } else {
            ""
        };
        let count = checks.len();
        Line {
            name: scenario.name.to_owned(),
            about: format!("{} ({size}, {count} checks{long})", scenario.why),
            checks: checks.iter().map(|check| full(scenario, check)).collect(),
        }
    })
}

/// Prints the lines in two columns; `with_checks`: also the names of the checks.
pub(super) fn print(lines: &[Line], with_checks: bool) {
    let width = lines.iter().map(|line| line.name.len()).max();
    let width = width.unwrap_or_default();
    for line in lines {
        println!("{:<width$}  {}", line.name, line.about);
        for check in line.checks.iter().filter(|_| with_checks) {
            println!("    {check}");
        }
    }
}

/// A check's name in the report.
pub(super) fn full(scenario: &Scenario, check: &str) -> String {
    format!("{}/{check}", scenario.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_checks_and_leaves_out_scenarios_that_have_none() {
        let chosen = chosen(Some("disk/mount:/proc"), true);
        assert!(
            chosen
                .iter()
                .any(|one| one.scenario.name == "disk" && one.checks == ["mount:/proc"])
        );
        assert!(super::chosen(Some("no such check"), true).is_empty());
    }

    /// The number in .ci/run is the one that `cargo qemu test --list` ends with.
    #[test]
    fn g2_ci_names_as_many_guests_as_there_are() {
        let script = include_str!("../../../../.ci/run");
        let (_, named) = script.split_once("--guests ").expect("it names a number");
        let digits = named.split(|c: char| !c.is_ascii_digit()).next();
        let named: usize = digits.unwrap_or_default().parse().expect("a number");
        assert_eq!(named, chosen(None, false).len(), "change it in .ci/run");
    }

    #[test]
    fn long_scenarios_run_only_when_asked_for() {
        assert!(
            chosen(None, false)
                .iter()
                .all(|one| one.scenario.when == When::Default)
        );
        assert!(
            chosen(None, true)
                .iter()
                .any(|one| one.scenario.when == When::Long)
        );
    }
}
