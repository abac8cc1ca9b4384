//! The setting that was probably meant: the name with the fewest letters to change, add, drop or swap.

use crate::settings::names;

/// The longest name of a setting is 16 letters; a longer one than this is nobody's slip.
const LONGEST: usize = 31;

/// The nearest name, if it is near: a third of its letters may differ.
pub(super) fn nearest(name: &[u8]) -> Option<&'static str> {
    let distance = |known: &&str| distance(name, known.as_bytes());
    let nearest = names().min_by_key(distance)?;
    (distance(&nearest) <= nearest.len().div_ceil(3)).then_some(nearest)
}

/// How many letters are to be changed, added or dropped (Levenshtein), cases alike: one row of the table at a time.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let mut row = [0_u8; LONGEST + 1];
    for (cell, number) in row.iter_mut().zip(0..) {
        *cell = number;
    }
    for (letter, number) in one.iter().zip(1..) {
        // Of the row above: to the left of the cell, and the cell itself.
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
    fn slips_are_known() {
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
        fn a_distance_is_one(a in "[A-D]{0,8}", b in "[A-D]{0,8}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(distance(a, b), distance(b, a));
            prop_assert_eq!(distance(a, b) == 0, a == b);
            prop_assert!(distance(a, b) <= a.len().max(b.len()));
            prop_assert!(distance(a, b) >= a.len().abs_diff(b.len()));
        }
    }
}
