//! Small JSON files that a power cut left empty: dockerd would not start with them. The step renames them, so that nothing
//! is lost, and the engine creates new ones.

use crate::{
    docker::config::Config,
    error::{Error, Step},
    fs::{self, Lookup, copy::FILES},
    launch::{Launch, Outcome},
    steps::files::{Files, warn_if_full},
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{FileType, renameat, statfs},
    io::{Errno, retry_on_intr},
};

/// No JSON document that dockerd writes is shorter.
const SHORTEST: i64 = 2;

const ETC: &CStr = c"/etc/docker";
const CONFIGURATION: &CStr = c"daemon.json";

/// Why an empty file is not renamed. dockerd 26 reads an empty daemon.json as one without settings.
const MOUNTED: &str = "it is empty, and stays because it is a mount; write {} to the mounted file";
const READ_ONLY: &str = "it is empty, and its file system is read-only; write {} to it";

/// In /etc/docker: the identity key of old engines, and daemon.json.
pub(crate) fn set_aside_configuration(launch: &Launch<'_>) -> Outcome<()> {
    let Some(etc) = fs::directory(ETC).if_exists_or_warn(launch.log, Step::Layout, ETC) else {
        return Ok(());
    };
    let etc = etc.as_fd();
    set_aside(launch, (etc, ETC), c"key.json", c"key.json.corrupt");
    if set_aside(launch, (etc, ETC), CONFIGURATION, c"daemon.json.corrupt") {
        restore(launch, (etc, ETC));
    }
    Ok(())
}

/// In the data root: the names of the images, in one directory for each storage driver.
pub(crate) fn set_aside_repositories(launch: &Launch<'_>, config: &Config) -> Outcome<()> {
    const NAME: &CStr = c"repositories.json";
    let data_root = config.data_root.as_c_str();
    let there = retry_on_intr(|| statfs(data_root));
    if let Some(there) = there.if_exists_or_warn(launch.log, Step::Layout, data_root) {
        warn_if_full(launch, &there, config.data_root.as_bytes());
    }
    let path = fs::path(&[config.data_root.as_bytes(), b"/image"]);
    let images = fs::directory(path.as_c_str());
    let Some(images) = images.if_exists_or_warn(launch.log, Step::Layout, path.as_c_str()) else {
        return Ok(());
    };
    let read = fs::entries(images.as_fd(), &mut |driver| {
        let path = fs::path(&[path.as_bytes(), b"/", driver.to_bytes()]);
        let path = path.as_c_str();
        let driver = fs::subdirectory(images.as_fd(), driver);
        if let Some(driver) = driver.if_exists_or_warn(launch.log, Step::Layout, path) {
            let driver = (driver.as_fd(), path);
            set_aside(launch, driver, NAME, c"repositories.json.corrupt");
        }
        Ok(())
    });
    if let Err(errno) = read {
        launch.warn_of(Step::Layout, path.as_bytes(), errno);
    }
    Ok(())
}

/// Renames the file if it is empty; returns whether it did. An earlier renamed file is overwritten: it was empty too.
fn set_aside(
    launch: &Launch<'_>,
    (directory, path): (BorrowedFd<'_>, &CStr),
    name: &CStr,
    corrupt: &CStr,
) -> bool {
    let whole = fs::path(&[path.to_bytes(), b"/", name.to_bytes()]);
    let there = fs::lstat(directory, name).or_warn(launch.log, Step::Layout, whole.as_c_str());
    let is_empty = there.flatten().is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size < SHORTEST
    });
    if !is_empty {
        return false;
    }
    let error = match renameat(directory, name, directory, corrupt) {
        Ok(()) => {
            launch.log.warning(
                "{} was empty, as after a power cut: renamed to {}",
                &[name.to_bytes(), corrupt.to_bytes()],
            );
            return true;
        }
        Err(Errno::BUSY) => Error::with_reason(Step::Layout, whole.as_bytes(), MOUNTED),
        Err(Errno::ROFS) => Error::with_reason(Step::Layout, whole.as_bytes(), READ_ONLY),
        Err(errno) => Error::new(Step::Layout, whole.as_bytes(), errno),
    };
    launch.warn(&error);
    false
}

/// Copies the image's default daemon.json back, if there is one.
fn restore(launch: &Launch<'_>, (etc, path): (BorrowedFd<'_>, &CStr)) {
    const DEFAULTS: &CStr = c"/usr/etc/docker";
    if let Some(defaults) =
        fs::directory(DEFAULTS).if_exists_or_warn(launch.log, Step::Layout, DEFAULTS)
    {
        let files = Files::new(launch, Step::Layout);
        files.write(etc, path.to_bytes(), &mut |files, pass| {
            let copied = files.copy(FILES, defaults.as_fd(), etc, path, pass);
            copied.if_exists_or_warn(launch.log, Step::Layout, DEFAULTS);
        });
    }
    let there = fs::exists(etc, CONFIGURATION).or_warn(launch.log, Step::Layout, path);
    let what: &[u8] = if there == Some(true) {
        b"daemon.json is restored from /usr/etc"
    } else {
        b"there is no daemon.json any more and none in /usr/etc: THE ENGINE RUNS WITHOUT ITS SETTINGS"
    };
    launch.log.warning("{}", &[what]);
}
