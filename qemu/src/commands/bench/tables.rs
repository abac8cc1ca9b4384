//! The tables that `cargo qemu bench` prints. Ratios are to the row that a reader compares with: the script's boot, the floor's
//! instructions.

use std::fmt::Write;

use crate::bench::{Boot, Growth, Launched};

/// The row that boots are compared with, and the row that launches are.
const SCRIPT: &str = "a busybox script";
const FLOOR: &str = "the floor";

pub(super) fn of_boots(boots: &[Boot]) -> String {
    let mut table = String::new();
    let Some(first) = boots.first() else {
        return table;
    };
    let title = format!("{}: milliseconds since the kernel began", first.suite);
    let columns = [
        "PID 1",
        "from there",
        "of script",
        "ready",
        "of script",
        "container",
        "of script",
    ];
    line(&mut table, &title, &columns);
    let script = boots.iter().find(|boot| boot.name == SCRIPT);
    let figures: [fn(&Boot) -> f64; 3] = [
        |boot| boot.ready - boot.pid_1,
        |boot| boot.ready,
        |boot| boot.container,
    ];
    for boot in boots {
        let mut cells = vec![format!("{:.0}", boot.pid_1)];
        for of in figures {
            cells.push(format!("{:.0}", of(boot)));
            cells.push(script.map_or(String::new(), |script| share(of(boot), of(script))));
        }
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        line(&mut table, boot.name, &cells);
        if let Some(spread) = &boot.spread {
            let range = |(least, most): (f64, f64)| format!("{least:.0}-{most:.0}");
            let (ready, container) = (range(spread.ready), range(spread.container));
            let name = format!("  of {} boots", spread.rounds);
            line(&mut table, &name, &["", "", "", &ready, "", &container]);
        }
    }
    table
}

pub(super) fn of_launches(launches: &[Launched]) -> String {
    let mut table = String::new();
    let columns = [
        "instructions",
        "of floor",
        "calls",
        "failed",
        "bytes",
        "anonymous",
        "resident",
    ];
    line(&mut table, "exec of PID 1 to the daemon", &columns);
    let floor = launches
        .iter()
        .find(|launched| launched.name.starts_with(FLOOR));
    let kilobytes = |value: Option<u64>| value.map_or(String::new(), |value| format!("{value} kB"));
    for launched in launches {
        let ratio =
            |floor: &Launched| share(launched.instructions as f64, floor.instructions as f64);
        let cells = [
            launched.instructions.to_string(),
            floor.map_or(String::new(), ratio),
            launched.calls.to_string(),
            launched.failed.to_string(),
            launched.size.to_string(),
            kilobytes(launched.anonymous),
            kilobytes(launched.resident),
        ];
        line(
            &mut table,
            launched.name,
            &cells.each_ref().map(String::as_str),
        );
    }
    table
}

pub(super) fn of_growth(all: &[Growth]) -> String {
    let mut table = String::new();
    let Some(first) = all.first() else {
        return table;
    };
    let counts: Vec<String> = first
        .points
        .iter()
        .map(|(count, _)| count.to_string())
        .collect();
    let mut columns: Vec<&str> = counts.iter().map(String::as_str).collect();
    columns.push("for each");
    line(&mut table, "dockerlaunch, with more and more", &columns);
    for growth in all {
        let mut cells: Vec<String> = growth
            .points
            .iter()
            .map(|(_, value)| value.to_string())
            .collect();
        cells.push(
            growth
                .each()
                .map_or(String::new(), |each| format!("{each:.0}")),
        );
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        line(&mut table, growth.what, &cells);
    }
    table
}

fn line(table: &mut String, name: &str, cells: &[&str]) {
    let mut text = format!("{name:<42}");
    for cell in cells {
        let _ = write!(text, "{cell:>13}"); // A string takes everything.
    }
    table.push_str(text.trim_end());
    table.push('\n');
}

/// How often the other goes into this.
fn share(this: f64, other: f64) -> String {
    if other > 0.0 {
        format!("{:.2}", this / other)
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(name: &'static str, ready: f64) -> Boot {
        Boot {
            suite: "trixie",
            name,
            pid_1: 2000.0,
            ready,
            container: ready + 1000.0,
            spread: None,
            engine: serde_json::Value::Null,
            moments: Vec::new(),
        }
    }

    #[test]
    fn boots_are_compared_with_the_script() {
        let table = of_boots(&[boot("dockerlaunch", 3000.0), boot(SCRIPT, 4000.0)]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "dockerlaunch",
                "2000",
                "1000",
                "0.50",
                "3000",
                "0.75",
                "4000",
                "0.80"
            ]
        );
        assert_eq!(
            lines[2][3..],
            ["2000", "2000", "1.00", "4000", "1.00", "5000", "1.00"]
        );
        assert_eq!(of_boots(&[]), "");
    }

    #[test]
    fn a_table_without_the_row_to_compare_with_has_no_ratios() {
        assert_eq!(share(1.0, 0.0), "");
        let table = of_boots(&[boot("dockerlaunch", 3000.0)]);
        assert!(table.lines().all(|line| !line.contains("1.00")));
    }
}
