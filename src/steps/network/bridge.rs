//! The bridge of `-b NAME --bip ADDRESS/PREFIX`. dockerd refuses to be told both, and takes only a bridge that is there: so
//! it is made here, with that address and the MTU that the daemon is told, and `--bip` is left out of the daemon's words.
//! One of them alone is dockerd's to follow, as `--fixed-cidr` always is.

use super::{
    changes::{Changes, FOR_EVER},
    links::{self, Which},
};
use crate::{
    docker::{
        command::Command,
        config::{configuration, flag},
    },
    error::Step,
    launch::{Launch, Outcome},
    settings::ip,
    text::{Text, TooLong, number, split_once},
};
use rustix::io::{self, Errno};

pub(super) fn make(
    launch: &Launch<'_>,
    command: &mut Command<'_>,
    changes: &Changes,
) -> Outcome<()> {
    let Some(bip) = flag(command, "bip") else {
        return Ok(());
    };
    let failed = |errno| launch.refused(Step::Network, b"--bridge", errno);
    let name = asked(command, "bridge").map_err(failed)?;
    let name = name.as_bytes();
    if name.is_empty() || name == b"none" {
        return Ok(());
    }
    let (address, prefix) = split_once(bip, b'/');
    let prefix = prefix.and_then(number).filter(|prefix| *prefix <= 32);
    let (Some(address), Some(prefix)) = (ip::address(address), prefix) else {
        let reason = "--bip is not an address and its prefix, as in 172.18.0.1/16";
        return Err(launch.failed(Step::Network, bip, reason));
    };
    let mtu = asked(command, "mtu").map_err(failed)?;
    let mtu = number(mtu.as_bytes()).and_then(|mtu| u32::try_from(mtu).ok());
    let made = || {
        changes.add_bridge(name, mtu.filter(|mtu| *mtu > 0))?;
        let index = links::find(Which::Named(name))?.index;
        changes.add_address(index, address.into(), prefix as u8, FOR_EVER)?;
        changes.set_up(index)
    };
    made().map_err(|errno| launch.refused(Step::Network, name, errno))?;
    let what = b" is a bridge; --bip is not passed on";
    launch.log.debug(&[name, what]);
    command.leave_out(b"--bip");
    Ok(())
}

/// What the daemon is told, by a flag or else by daemon.json.
fn asked(command: &Command<'_>, name: &str) -> io::Result<Text<17>> {
    let (mut told, mut outcome) = (Text::new(), Ok(()));
    configuration(command, &mut |found, value| {
        if found == name.as_bytes() {
            outcome = value.and_then(|value| told.set(&[value]));
        }
    })?;
    if let Some(value) = flag(command, name) {
        outcome = told.set(&[value]);
    }
    outcome.map_err(|TooLong| Errno::NAMETOOLONG)?;
    Ok(told)
}
