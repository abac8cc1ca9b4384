//! Small JSON files that a power cut left empty: dockerd would not start over them. They are set aside under another name,
//! so that nothing is lost that could still be read, and the engine makes new ones.

use crate::{
    command::Command,
    copy,
    error::Step,
    fs::{self, Root, There},
    launch::{Context, Launch, Outcome},
    places::Places,
};
use core::ffi::CStr;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{FileType, renameat},
};

/// No JSON document that dockerd writes is shorter.
const SHORTEST: i64 = 2;

const ETC: &CStr = c"/etc/docker";
const CONFIGURATION: &CStr = c"daemon.json";

/// Of /etc/docker: the old engines' identity, and the engine's settings.
pub(crate) fn configuration(launch: &Launch<'_>) -> Outcome<()> {
    let root = Root::open(c"/").at(launch, Step::Layout, c"/")?;
    let etc = root.directory(ETC).found(launch.log, Step::Layout, ETC);
    let Some(etc) = etc else {
        return Ok(());
    };
    set_aside(launch, etc.as_fd(), c"key.json", c"key.json.corrupt")?;
    if set_aside(launch, etc.as_fd(), CONFIGURATION, c"daemon.json.corrupt")? {
        restore(launch, &root, etc.as_fd())?;
    }
    Ok(())
}

/// Of the data root: the names of the images, which lie in a directory for each storage driver.
pub(crate) fn repositories(launch: &Launch<'_>, command: &Command<'_>) -> Outcome<()> {
    const NAME: &CStr = c"repositories.json";
    let places = Places::of(command).at(launch, Step::Daemon, CONFIGURATION)?;
    let images = fs::path(&[places.data_root.as_bytes(), b"/image"]);
    let images = images.at(launch, Step::Layout, c"--data-root")?;
    let images = images.as_c_str();
    let Some(images) = fs::directory(images).found(launch.log, Step::Layout, images) else {
        return Ok(());
    };
    let mut outcome = Ok(false);
    let read = fs::entries(images.as_fd(), &mut |driver| {
        if outcome.is_ok()
            && let driver = fs::subdirectory(images.as_fd(), driver)
            && let Some(driver) = driver.found(launch.log, Step::Layout, c"--data-root")
        {
            outcome = set_aside(launch, driver.as_fd(), NAME, c"repositories.json.corrupt");
        }
        Ok(())
    });
    read.at(launch, Step::Layout, c"--data-root")?;
    outcome.map(|_| ())
}

/// Whether the file was there and empty. One that was set aside before is replaced: it was empty as well.
fn set_aside(
    launch: &Launch<'_>,
    directory: BorrowedFd<'_>,
    name: &CStr,
    corrupt: &CStr,
) -> Outcome<bool> {
    let there = fs::look(directory, name).noted(launch.log, Step::Layout, name);
    let is_empty = there.flatten().is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size < SHORTEST
    });
    if is_empty {
        renameat(directory, name, directory, corrupt).at(launch, Step::Layout, name)?;
        let why = b" was empty, as after a power cut: set aside as ";
        launch
            .log
            .warning(&[name.to_bytes(), why, corrupt.to_bytes()]);
    }
    Ok(is_empty)
}

/// The image's own daemon.json, if it has one.
fn restore(launch: &Launch<'_>, root: &Root, etc: BorrowedFd<'_>) -> Outcome<()> {
    let copied = root
        .directory(c"/usr/etc/docker")
        .and_then(|defaults| copy::FILES.missing(defaults.as_fd(), etc));
    let copied = copied.there().at(launch, Step::Layout, CONFIGURATION)?;
    let what: &[u8] = if copied.is_some()
        && fs::look(etc, CONFIGURATION)
            .at(launch, Step::Layout, CONFIGURATION)?
            .is_some()
    {
        b"daemon.json is the image's own again, from /usr/etc"
    } else {
        b"there is no daemon.json any more and none in /usr/etc: THE ENGINE RUNS WITHOUT ITS SETTINGS"
    };
    launch.log.warning(&[what]);
    Ok(())
}
