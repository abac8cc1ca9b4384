//! What a guest says for the harness: lines `bench: NAME NUMBER…`, and the memory of PID 1 as smaps_rollup has it.

const SAYS: &str = "bench: ";

/// The numbers of the first line of this name.
pub(super) fn numbers(console: &[String], name: &str) -> Option<Vec<u64>> {
    let line = console.iter().find_map(|line| {
        let (_, said) = line.split_once(SAYS)?;
        said.strip_prefix(name)?.strip_prefix(' ')
    })?;
    line.split_whitespace()
        .map(|word| word.parse().ok())
        .collect()
}

/// Whether this is the last line of a measurement.
pub(super) fn ends(line: &str) -> bool {
    line.ends_with("bench: end")
}

/// A value of smaps_rollup, in kB: `Rss:                 136 kB`.
pub(super) fn memory(console: &[String], name: &str) -> Option<u64> {
    let value = console
        .iter()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_found_by_its_name_even_behind_another() {
        let console =
            console("noise\n[ 1.0] xbench: launched 12 34\nbench: launchedx 5\nbench: end");
        assert_eq!(numbers(&console, "launched"), Some(vec![12, 34]));
        assert_eq!(numbers(&console, "clocks"), None);
        assert!(ends(&console[3]) && !ends(&console[1]));
    }

    #[test]
    fn memory_is_read_in_kilobytes() {
        let console = console("Rss:                 136 kB\nAnonymous:             4 kB");
        assert_eq!(memory(&console, "Anonymous"), Some(4));
        assert_eq!(memory(&console, "Rss"), Some(136));
        assert_eq!(memory(&console, "Pss"), None);
    }
}
