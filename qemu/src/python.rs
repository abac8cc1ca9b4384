//! Docker's library for Python, the package `docker` of PyPI, in a virtual environment in the cache: one for all clones,
//! brought up to date once a day. What cannot be brought up to date is used as it last was, which is said.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{packages, paths, progress::Step, report, run, strict};

/// The environment's python, or why there is none.
pub static DOCKER: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| environment().map_err(|error| format!("{error:#}")));

/// What the report calls it where it cannot be fetched.
pub const DOWNLOAD: &str = "python-docker";

/// The calls that are asked are those of its seventh version.
const PACKAGE: &str = "docker>=7,<8";

/// How long an environment is taken for current.
const CURRENT: Duration = Duration::from_secs(24 * 60 * 60);

/// pip's own patience, in seconds and in attempts, with an index that does not answer.
const PATIENCE: &[&str] = &["--timeout", "20", "--retries", "1"];

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
            if let Some(refused) = packages::too_old(age, strict::is_on()) {
                return Err(error.context(refused));
            }
            report::note(format!(
                "PyPI cannot be asked: using the package docker in the cache, which is {}",
                packages::told(age)
            ));
        }
    }
    Ok(python)
}

/// Aside, and then in its place: nothing of an environment but its scripts tells where it lies, and none is used.
fn make(folder: &Path, place: &Path) -> Result<()> {
    let step = Step::spinner("PyPI: fetching the package docker");
    let aside = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(folder)?;
    let made = aside.path().join("docker");
    // Debian's python3 has no pip to copy into it.
    run::output(
        Command::new("python3")
            .args(["-m", "venv", "--without-pip"])
            .arg(&made),
    )?;
    run::output(
        Command::new("pip3")
            .args(["--quiet", "--disable-pip-version-check", "--python"])
            .arg(made.join("bin/python"))
            .arg("install")
            .args(PATIENCE)
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
    run::output(Command::new(python).args(["-c", "import docker"])).map(drop)
}
