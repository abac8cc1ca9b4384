//! Chooses between the two variants of iptables: nft, or legacy if the kernel has legacy tables already or has no
//! nf_tables. The rules, the variable and the folder of links are those of docker:dind's entry point.
//!
//! The step asks the kernel over netlink and runs no program; the kernel loads nf_tables then, as it would for iptables.
//! Rules of both variants would each apply to every packet, so the step looks for legacy tables before it causes nf_tables
//! to load.

use crate::{
    docker::{
        command::Command,
        config::Config,
        options::{NFTABLES, NO_IPTABLES},
    },
    error::Step,
    fs::{self, Lookup},
    kernel::netlink::{Message, Netlink, REQUEST},
    launch::{Launch, Outcome},
    text::base_name,
};
use core::ffi::CStr;
use rustix::{
    io::{Errno, Result},
    net::netlink::NETFILTER,
};

/// Links to the legacy programs, named as dockerd calls them. Put before PATH, they are found first.
const FOLDER: &str = "/usr/local/sbin/.iptables-legacy";
const LEGACY: &CStr = c"/usr/local/sbin/.iptables-legacy/iptables";
/// All legacy programs in one.
const LEGACY_FILE: &[u8] = b"xtables-legacy-multi";
/// Set: legacy. Set but empty: nft.
const VARIABLE: &[u8] = b"DOCKER_IPTABLES_LEGACY";

/// The legacy tables of this network namespace; empty or missing if there are none.
const TABLES: [&CStr; 3] = [
    c"/proc/net/ip_tables_names",
    c"/proc/net/ip6_tables_names",
    c"/proc/net/arp_tables_names",
];

/// linux/netfilter/nf_tables.h: NFNL_SUBSYS_NFTABLES and its message NFT_MSG_GETGEN; an nfgenmsg of any family, version 0.
const GET_GENERATION: u16 = 10 << 8 | 16;
const ANY_FAMILY: &[u8] = &[0; 4];

/// The chosen variant, and why.
struct Variant {
    legacy: bool,
    why: &'static str,
    /// What goes wrong in an image without the legacy programs; empty if nft works too.
    lost: &'static str,
}

const SET_TO_NFT: Variant = Variant {
    legacy: false,
    why: "DOCKER_IPTABLES_LEGACY is empty",
    lost: "",
};
const SET_TO_LEGACY: Variant = Variant {
    legacy: true,
    why: "DOCKER_IPTABLES_LEGACY is set",
    lost: "but iptables in PATH is used",
};
const LEGACY_TABLES: Variant = Variant {
    legacy: true,
    why: "the kernel has legacy tables",
    lost: "",
};
const NO_NF_TABLES: Variant = Variant {
    legacy: true,
    why: "the kernel has no nf_tables",
    lost: "so dockerd cannot make its rules",
};
const NF_TABLES: Variant = Variant {
    legacy: false,
    why: "the kernel has nf_tables",
    lost: "",
};

/// Puts the legacy programs first in PATH if the kernel needs them.
///
/// # Errors
/// [`Step::Daemon`]: daemon.json cannot be read.
pub(crate) fn choose(
    launch: &Launch<'_>,
    command: &mut Command<'_>,
    config: &Config,
) -> Outcome<()> {
    if config.choices & (NO_IPTABLES | NFTABLES) != 0 {
        return Ok(());
    }
    let variant = variant(
        command.variable(VARIABLE),
        || has_legacy_tables(launch),
        lacks_nf_tables,
    );
    let name: &[u8] = if variant.legacy {
        b"legacy: "
    } else {
        b"nft: "
    };
    launch
        .log
        .debug("iptables {}{}", &[name, variant.why.as_bytes()]);
    if !variant.legacy {
        return Ok(());
    }
    let legacy = fs::executable(LEGACY).if_exists_or_warn(launch.log, Step::Prerequisites, LEGACY);
    if legacy.is_some() {
        command.first_directory = FOLDER;
    } else if !variant.lost.is_empty() && is_not_legacy(launch, command) {
        launch.log.warning(
            "{} is missing: {}, {}",
            &[
                LEGACY.to_bytes(),
                variant.why.as_bytes(),
                variant.lost.as_bytes(),
            ],
        );
    }
    Ok(())
}

fn variant(
    asked: Option<&[u8]>,
    has_legacy_tables: impl FnOnce() -> bool,
    lacks_nf_tables: impl FnOnce() -> bool,
) -> Variant {
    match asked {
        Some(b"") => SET_TO_NFT,
        Some(_) => SET_TO_LEGACY,
        None if has_legacy_tables() => LEGACY_TABLES,
        None if lacks_nf_tables() => NO_NF_TABLES,
        None => NF_TABLES,
    }
}

fn has_legacy_tables(launch: &Launch<'_>) -> bool {
    // Five tables, none with a long name.
    let mut buffer = [0; 256];
    let mut names = |file| {
        let names = fs::read_small(file, &mut buffer).map(|names| !names.is_empty());
        names.if_exists_or_warn(launch.log, Step::Prerequisites, file) == Some(true)
    };
    TABLES.into_iter().any(&mut names)
}

/// True only if the kernel says that it has no nf_tables. A launch that may not ask leaves iptables as it is.
fn lacks_nf_tables() -> bool {
    matches!(
        ask_nf_tables(),
        Err(Errno::INVAL | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT)
    )
}

/// Asks for the number of the current rule set.
fn ask_nf_tables() -> Result<()> {
    let mut message = Message::new(GET_GENERATION, REQUEST);
    message.put(ANY_FAMILY);
    Netlink::open(Some(NETFILTER))?.request(&mut message)
}

/// Whether iptables in PATH is not the legacy one (Debian's alternatives can select that). If there is none, the step
/// `prerequisites` reports it.
fn is_not_legacy(launch: &Launch<'_>, command: &Command<'_>) -> bool {
    let Ok(path) = command.look_up(c"iptables") else {
        return false;
    };
    let path = path.as_c_str();
    let file = fs::real_path(path).or_warn(launch.log, Step::Prerequisites, path);
    file.is_some_and(|file| base_name(file.as_bytes()) != LEGACY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_as_docker_dind() {
        for (asked, tables, no_nf_tables, legacy) in [
            (Some(&b"1"[..]), false, false, true),
            (Some(b""), true, true, false),
            (None, true, false, true),
            (None, true, true, true),
            (None, false, true, true),
            (None, false, false, false),
        ] {
            let variant = variant(asked, || tables, || no_nf_tables);
            assert_eq!(variant.legacy, legacy, "{}", variant.why);
        }
    }

    /// The request could make the kernel load it.
    #[test]
    fn does_not_ask_for_nf_tables_if_there_are_legacy_tables() {
        assert!(variant(None, || true, || unreachable!()).legacy);
        assert!(variant(Some(b"x"), || unreachable!(), || unreachable!()).legacy);
    }
}
