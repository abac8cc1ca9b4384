//! Finds the setting that was probably meant: the name with the fewest letters to change, add or drop.

use crate::settings::names;

/// Setting names have at most 16 letters; a name longer than this limit is not a typing error.
const LONGEST: usize = 31;

/// The nearest name, if at most a third of its letters differ.
pub(super) fn nearest(name: &[u8]) -> Option<&'static str> {
    let distance = |known: &&str| distance(name, known.as_bytes());
    let nearest = names().min_by_key(distance)?;
    (distance(&nearest) <= nearest.len().div_ceil(3)).then_some(nearest)
}

/// How many letters to change, add or drop (Levenshtein distance, ignoring case). It keeps one row of the table at a time.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let mut row = [0_u8; LONGEST + 1];
    for (cell, number) in row.iter_mut().zip(0..) {
        *cell = number;
    }
    for (letter, number) in one.iter().zip(1..) {
        // `corner` is the cell above and to the left.
        let mut corner = number - 1;
        let mut left = number;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = number;
        }
        for (cell, wanted) in cells.zip(other) {
            let above = *cell;
            let changed = corner + u8::from(!letter.eq_ignore_ascii_case(wanted));
            left = changed.min(above + 1).min(left + 1);
            (*cell, corner) = (left, above);
        }
    }
    row.get(other.len())
        .map_or(usize::MAX, |cell| (*cell).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_misspelt_names() {
        for (slip, meant) in [
            ("DEBUGS", Some("DEBUG")),
            ("debug", Some("DEBUG")),
            ("HOST_NAME", Some("HOSTNAME")),
            ("PREREQUISITE", Some("PREREQUISITES")),
            ("ONEXIT", Some("ON_EXIT")),
            ("CGROUPS", Some("CGROUP")),
            ("COLOUR", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip.as_bytes()), meant, "{slip}");
        }
    }

    proptest! {
        #[test]
        fn a_distance_is_symmetric_and_bounded(a in "[A-D]{0,8}", b in "[A-D]{0,8}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(distance(a, b), distance(b, a));
            prop_assert_eq!(distance(a, b) == 0, a == b);
            prop_assert!(distance(a, b) <= a.len().max(b.len()));
            prop_assert!(distance(a, b) >= a.len().abs_diff(b.len()));
        }
    }
}
