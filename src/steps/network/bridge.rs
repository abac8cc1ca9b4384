//! The bridge of `-b NAME --bip ADDRESS/PREFIX`. dockerd rejects the two flags together, and accepts only a bridge that
//! exists: so it is created here, with that address and the daemon's MTU, and `--bip` is dropped from the daemon's
//! arguments. dockerd handles either flag alone, and always handles `--fixed-cidr`.

use super::{
    changes::{Changes, FOR_EVER},
    links::{self, Which},
};
use crate::{
    docker::{
        command::Command,
        config::{Config, flag},
    },
    error::Step,
    launch::{Launch, Outcome},
    settings::ip,
    text::{number, split_once},
};

pub(super) fn make(
    launch: &Launch<'_>,
    command: &mut Command<'_>,
    config: &Config,
    changes: &Changes,
) -> Outcome<()> {
    let Some(bip) = flag(command, "bip") else {
        return Ok(());
    };
    let name = config.bridge.as_bytes();
    if name.is_empty() || name == b"none" {
        return Ok(());
    }
    let (address, prefix) = split_once(bip, b'/');
    let prefix = prefix.and_then(number).filter(|prefix| *prefix <= 32);
    let (Some(address), Some(prefix)) = (ip::address(address), prefix) else {
        let reason = "--bip is not an address with a prefix, as in 172.18.0.1/16";
        return Err(launch.failed(Step::Network, bip, reason));
    };
    let made = || {
        changes.add_bridge(name, config.mtu)?;
        let index = links::find(Which::Named(name))?.index;
        changes.add_address(index, address.into(), prefix as u8, FOR_EVER)?;
        changes.set_up(index)
    };
    made().map_err(|errno| launch.refused(Step::Network, name, errno))?;
    launch
        .log
        .debug("{} is a bridge; --bip is not passed on", &[name]);
    command.leave_out(b"--bip");
    Ok(())
}
