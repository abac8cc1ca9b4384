//! Docker's library for Python, the package `docker` of PyPI, in a virtual environment in the cache: one for all clones, updated
//! once a day. If PyPI does not answer, the last environment is used, with a note of its age.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use anyhow::{Context, Result};

use super::age::{CURRENT, told, too_old};
use crate::host::{notes::note, paths, progress::Step, strict, tools};

/// The environment's python, or why there is none.
pub static DOCKER: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| environment().map_err(|error| format!("{error:#}")));

/// Its name in the report if it cannot be fetched.
pub const DOWNLOAD: &str = "python-docker";

/// The checks use the API of its seventh version.
const PACKAGE: &str = "docker>=7,<8";

/// How long pip waits for an index that does not answer, in seconds, and how often it retries.
const LIMITS: &[&str] = &["--timeout", "20", "--retries", "1"];

fn environment() -> Result<PathBuf> {
    let folder = paths::cache()?.join("python");
    let _lock = paths::lock(&folder)?;
    let place = folder.join("docker");
    let python = place.join("bin/python");
    let made = fs::metadata(&place).and_then(|place| place.modified());
    let age = made.ok().and_then(|made| made.elapsed().ok());
    let current = age.is_some_and(|age| age < CURRENT);
    if current && works(&python).is_ok() {
        return Ok(python);
    }
    match make(&folder, &place) {
        Ok(()) => works(&python)?,
        Err(error) => {
            if works(&python).is_err() {
                let cannot =
                    format!("cannot fetch {PACKAGE} from PyPI, and no earlier one is there");
                return Err(error.context(cannot));
            }
            if let Some(refused) = too_old(age, strict::is_on()) {
                return Err(error.context(refused));
            }
            note(format!(
                "PyPI does not answer: using the package docker in the cache, which is {}",
                told(age)
            ));
        }
    }
    Ok(python)
}

/// Makes a new environment and renames it into place. Only an environment's scripts hold its path, and none of them is used.
fn make(folder: &Path, place: &Path) -> Result<()> {
    let step = Step::spinner("PyPI: fetching the package docker");
    let aside = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(folder)?;
    let made = aside.path().join("docker");
    // Debian's python3 has no pip to copy into the environment.
    tools::run(
        Command::new("python3")
            .args(["-m", "venv", "--without-pip"])
            .arg(&made),
    )?;
    tools::run(
        Command::new("pip3")
            .args(["--quiet", "--disable-pip-version-check", "--python"])
            .arg(made.join("bin/python"))
            .arg("install")
            .args(LIMITS)
            .arg(PACKAGE),
    )?;
    if place.exists() {
        fs::rename(place, aside.path().join("earlier"))?;
    }
    fs::rename(&made, place).with_context(|| format!("rename to {}", place.display()))?;
    step.done("PyPI: the package docker is there");
    Ok(())
}

fn works(python: &Path) -> Result<()> {
    tools::run(Command::new(python).args(["-c", "import docker"]))
}
