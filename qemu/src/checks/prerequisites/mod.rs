//! Each of Docker's prerequisites in a real engine, with the file and without it. With it the proof succeeds. Without it dockerlaunch
//! reports it before the start, and the engine fails with the message in dockerlaunch's table, so that the table stays true. Files
//! are taken away from a running guest, and put back.

mod claims;
mod guest;
mod proofs;
mod second;
mod servers;
mod table;
mod world;

use anyhow::{Context, Result, bail};

use super::engine::Place;
use crate::machine::SPEAKER;
use claims::{Claims, has_line};
use guest::Guest;
use second::Second;
use table::TABLE;
use world::{Requirement, Without};

pub(crate) use servers::PACKAGED;
pub(crate) use world::World;

/// The check that dockerlaunch's report is complete, beside those of the rows.
const REPORT: &str = "check";

/// The checks by name.
pub(crate) fn names() -> Vec<String> {
    let rows = TABLE.iter().flat_map(|row| {
        let here = !matches!(row.without, Without::Elsewhere);
        [row.with()].into_iter().chain(here.then(|| row.without()))
    });
    [REPORT.to_owned()].into_iter().chain(rows).collect()
}

impl<'a> World<'a> {
    /// The guest, with servers beside its engine.
    pub(crate) fn new(place: &'a Place<'a>) -> Result<Self> {
        let guest = Guest::new(place.engine)?;
        servers::start(&guest)?;
        let claims = Claims::read(&guest)?;
        Ok(Self {
            place,
            guest,
            claims,
        })
    }

    /// Runs the check of this name.
    pub(crate) fn ask(&self, name: &str) -> Result<()> {
        if name == REPORT {
            return self.claims.whole(&self.guest, &names());
        }
        for row in TABLE {
            if name == row.with() {
                return (row.proof)(self, self.place.engine);
            } else if name == row.without() {
                return row.missed(self);
            }
        }
        bail!("the table has no row `{name}`")
    }
}

impl Requirement {
    fn with(&self) -> String {
        format!("{} with", self.name)
    }

    fn without(&self) -> String {
        format!("{} without", self.name)
    }

    fn missed(&self, world: &World) -> Result<()> {
        let claim = world.claims.error(self.name)?;
        match self.without {
            Without::InUse => {
                let (_away, said) = world.guest.take_away(self.file)?;
                self.told(&said, &[])?;
                self.fails((self.proof)(world, world.place.engine), &[claim])
            }
            Without::AtStart(words) => {
                let said = second::failing(world, self, words)?;
                self.warned(&said)?;
                has_line(&said, &[claim])
            }
            Without::Once(silent) => {
                let second = Second::listening(world, self)?;
                let proof = (self.proof)(world, &second.engine()?);
                self.warned(&second.said()?)?;
                self.fails(proof, &[&[claim], silent].concat())
            }
            Without::NothingLost => {
                let (_away, said) = world.guest.take_away(self.file)?;
                self.told(&said, &["not needed"])?;
                (self.proof)(world, world.place.engine)
            }
            Without::Elsewhere => Ok(()),
        }
    }

    /// dockerlaunch ended if it has to without the file, and its own line names it.
    fn warned(&self, said: &str) -> Result<()> {
        if self.refused > 0 {
            has_line(said, &[&second::refused(self.refused)])?;
        }
        self.told(said, &[SPEAKER])
    }

    /// A line names what is missing.
    fn told(&self, said: &str, more: &[&str]) -> Result<()> {
        let names = |word: &str| word.trim_end_matches(':') == self.name;
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.split_whitespace().any(names))
            .collect();
        has_line(&lines.join("\n"), &[&[self.fault], more].concat())
            .with_context(|| format!("dockerlaunch does not report it:\n{said}"))
    }

    fn fails(&self, proof: Result<()>, lost: &[&str]) -> Result<()> {
        match proof {
            Ok(()) => bail!("nothing is lost without /usr/{}", self.file),
            Err(error) => has_line(&format!("{error:#}").replace('\n', " "), lost),
        }
    }
}
