//! The check at boot: reports everything that Docker needs and the image lacks in one go, before dockerd fails on the first
//! of them.
//!
//! DOCKER_LAUNCH_PREREQUISITES decides whether a missing required program ends the launch, is a warning, or is not looked
//! for. A missing optional program is a warning that names the Docker feature that is lost.

use crate::{
    docker::{
        command::Command,
        config::Config,
        needs::{Found, Need, Requirement, Search, TABLE},
    },
    error::Step,
    launch::{Launch, Outcome},
    settings::Prerequisites,
    text::Text,
};
use heapless::Vec;

const REFUSED: &str =
    "missing, see above; DOCKER_LAUNCH_PREREQUISITES=warn starts the daemon anyway";

/// Looks for everything, then decides whether the launch goes on.
///
/// # Errors
/// [`Step::Prerequisites`]: something required is missing.
pub(crate) fn check(launch: &Launch<'_>, command: &Command<'_>, config: &Config) -> Outcome<()> {
    let policy = launch.settings.prerequisites;
    if policy == Prerequisites::Skip {
        launch.log.debug("prerequisites are not looked for", &[]);
        return Ok(());
    }
    let search = Search::new(command, config.choices);
    let (mut required, mut path) = (Text::<256>::new(), Text::new());
    for row in TABLE.iter().filter(|row| row.need != Need::Obsolete) {
        let name = row.name.as_bytes();
        let found = search.find(row, &mut path);
        match found {
            Found::There => launch.log.debug("{}: {}", &[name, path.as_bytes()]),
            Found::Needless(why) => launch
                .log
                .debug("{} is not needed: {}", &[name, why.as_bytes()]),
            Found::Not(_) | Found::Unknown(_) => {
                let stops = row.need == Need::Required && policy == Prerequisites::Require;
                report(launch, row, &found, stops);
                if stops {
                    let comma = if required.as_bytes().is_empty() {
                        ""
                    } else {
                        ", "
                    };
                    // The names of all rows fit, which a test checks.
                    let _ = required.push(comma.as_bytes());
                    let _ = required.push(name);
                }
            }
        }
    }
    match required.as_bytes() {
        b"" => Ok(()),
        names => Err(launch.failed(Step::Prerequisites, names, REFUSED)),
    }
}

/// Logs `iptables is missing: dockerd does not start; install iptables, or use --iptables=false`. If the lookup itself
/// failed, the line does not say what to install.
fn report(launch: &Launch<'_>, row: &Requirement, found: &Found, stops: bool) {
    let (cannot, fault, install, package) = match found {
        Found::Not(fault) => ("", *fault, "; install ", row.package()),
        Found::Unknown(why) => ("cannot be looked up: ", *why, "", ""),
        Found::There | Found::Needless(_) => return,
    };
    let mut line: Vec<&[u8], 16> = Vec::new();
    // The capacity is enough for the choices of any row.
    let _ = line.extend_from_slice(&[
        row.name.as_bytes(),
        b" ",
        cannot.as_bytes(),
        fault.as_bytes(),
        b": ",
        row.lost().as_bytes(),
        install.as_bytes(),
        package.as_bytes(),
    ]);
    let mut or: &[u8] = b", or use ";
    for choice in row.choices() {
        let _ = line.extend_from_slice(&[or, choice.spelled.as_bytes()]);
        or = b" or ";
    }
    if stops {
        launch.log.line("", &line);
    } else {
        launch.log.warning("", &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_fit_in_the_error_and_all_choices_in_a_line() {
        let names: usize = TABLE.iter().map(|row| row.name.len() + 2).sum();
        assert!(names < 256, "{names}");
        for row in TABLE {
            assert!(row.choices().count() <= 4, "{}", row.name);
        }
    }
}
