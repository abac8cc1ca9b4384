//! Each of Docker's prerequisites in a real engine, with the file and without it. With it the proof succeeds. Without it
//! dockerlaunch says so before, and the engine fails with the words that dockerlaunch's table claims after: so that the
//! table stays true. Files are taken away from a guest that runs, and put back.

mod claims;
mod guest;
mod proofs;
mod second;
mod servers;
mod table;

use anyhow::{Context, Result, bail, ensure};

use super::{engine::Place, seen::SPEAKER};
use crate::engine::Engine;
use claims::Claims;
pub(crate) use guest::{Guest, PACKAGED};
use second::Second;
use table::TABLE;

/// A row of dockerlaunch's table.
struct Requirement {
    /// As dockerlaunch calls it.
    name: &'static str,
    /// Below /usr.
    file: &'static str,
    /// What it is needed for; an error without it.
    proof: fn(&World, &Engine) -> Result<()>,
    without: Without,
    /// What dockerlaunch says of it.
    fault: &'static str,
    /// The status with which dockerlaunch ends without it, unless it is told to go on; 0 if it does so anyway.
    refused: u8,
}

/// When the engine, or a program that it starts, looks for the file.
enum Without {
    /// Whenever it is used: the running engine fails in the proof.
    InUse,
    /// When the daemon starts: one with these words does not come up.
    AtStart(&'static [&'static str]),
    /// Once in the daemon's life: one that is started without it comes up, and fails in the proof; with these words where
    /// the engine has none.
    Once(&'static [&'static str]),
    /// Never.
    NothingLost,
    /// Another guest shows it.
    Elsewhere,
}

/// What a check may use.
pub(crate) struct World<'a> {
    place: &'a Place<'a>,
    guest: Guest<'a>,
    claims: Claims,
}

/// The check that dockerlaunch's report is whole, beside those of the rows.
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
    /// The guest as it is, with servers beside its engine.
    pub(crate) fn new(place: &'a Place<'a>) -> Result<Self> {
        let guest = Guest::new(place.engine)?;
        let claims = Claims::read(&guest)?;
        Ok(Self {
            place,
            guest,
            claims,
        })
    }

    /// Does the check of this name.
    pub(crate) fn ask(&self, name: &str) -> Result<()> {
        if name == REPORT {
            return self.claims.whole(&self.guest);
        }
        for row in TABLE {
            if name == row.with() {
                return (row.proof)(self, self.place.engine);
            } else if name == row.without() {
                return row.missed(self);
            }
        }
        bail!("no row is called so")
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

    /// dockerlaunch did not go on by itself if it should not, and the line is its own.
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
            .with_context(|| format!("dockerlaunch does not tell of it:\n{said}"))
    }

    fn fails(&self, proof: Result<()>, lost: &[&str]) -> Result<()> {
        match proof {
            Ok(()) => bail!("nothing is lost without /usr/{}", self.file),
            Err(error) => has_line(&format!("{error:#}").replace('\n', " "), lost),
        }
    }
}

/// One line has all the words.
fn has_line(said: &str, words: &[&str]) -> Result<()> {
    let all = |line: &str| words.iter().all(|word| line.contains(word));
    ensure!(
        said.lines().any(all),
        "no line has {words:?}; these are\n{}",
        said.trim()
    );
    Ok(())
}
