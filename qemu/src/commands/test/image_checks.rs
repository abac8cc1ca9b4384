//! The checks of images, while guests run: each check is a test, and waits for its suite's images.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use libtest_mimic::{Completion, Failed, Trial};

use super::{chosen::Line, outcome::Unmade};
use crate::{
    checks::{
        When,
        image::{Row, TABLE, World},
    },
    packages::suites::Suite,
    report::{self, Ignored, Tally},
};

/// A suite's images, or why there are none.
type Slot = Arc<OnceLock<Result<World, Unmade>>>;

pub(super) struct Chosen {
    name: String,
    suite: Suite,
    row: &'static Row,
}

pub(super) fn chosen(filter: Option<&str>, long: bool) -> Vec<Chosen> {
    let wanted = TABLE.iter().filter(|row| long || row.when == When::Default);
    let each = wanted.flat_map(|row| {
        row.suites.iter().map(move |suite| Chosen {
            name: format!("{}/{}", group(*suite), row.name),
            suite: *suite,
            row,
        })
    });
    let fits = |one: &Chosen| filter.is_none_or(|filter| one.name.contains(filter));
    let mut chosen: Vec<Chosen> = each.filter(fits).collect();
    // A suite's images are made once, and removed before the next suite's are made.
    chosen.sort_by_key(|one| Suite::ALL.iter().position(|suite| *suite == one.suite));
    chosen
}

/// A line for each suite's images.
pub(super) fn lines(chosen: &[Chosen]) -> impl Iterator<Item = Line> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in chosen {
        let checks = groups.entry(group(one.suite)).or_default();
        checks.push(one.name.clone());
    }
    groups.into_iter().map(|(name, checks)| Line {
        name,
        about: format!(
            "what the images of this suite hold (no guest, {} checks)",
            checks.len()
        ),
        checks,
    })
}

pub(super) fn run(chosen: Vec<Chosen>, program: &Path, mirror: &str) -> Tally {
    let mut all = Tally::default();
    for suite in Suite::ALL {
        let of_it = chosen.iter().filter(|one| one.suite == *suite);
        let (slot, ignored) = (Slot::default(), Ignored::default());
        let trials: Vec<Trial> = of_it
            .map(|one| trial(one, &slot, &ignored, program, mirror))
            .collect();
        if !trials.is_empty() {
            all.add(report::shown(trials, &ignored));
        }
    }
    all
}

fn group(suite: Suite) -> String {
    format!("{}-image", suite.name())
}

fn trial(chosen: &Chosen, slot: &Slot, ignored: &Ignored, program: &Path, mirror: &str) -> Trial {
    let (slot, ignored) = (Arc::clone(slot), ignored.clone());
    let (name, suite, row) = (chosen.name.clone(), chosen.suite, chosen.row);
    let (program, mirror) = (program.to_owned(), mirror.to_owned());
    Trial::ignorable_test(name.clone(), move || {
        let made = || World::new(suite, &program, &mirror).map_err(Unmade::from);
        match slot.get_or_init(made) {
            Ok(world) => (row.question)(world)
                .map(|()| Completion::Completed)
                .map_err(|error| Failed::from(format!("{error:#}"))),
            Err(Unmade::Missing(missing)) => ignored.because(&name, missing),
            Err(Unmade::Failed(reason)) => Err(Failed::from(format!("no image: {reason}"))),
        }
    })
}
