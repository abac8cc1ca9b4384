//! iptables in its two flavours: nft's, or the legacy one where the kernel has legacy tables already or has no nf_tables.
//! Chosen as the entry point of docker:dind does, with the same variable and the same folder of links.
//!
//! The kernel is asked itself, by netlink: it loads nf_tables then, as it would for iptables, and no program is run. Rules
//! of both flavours would judge each packet apart, so legacy tables are looked for before nf_tables is loaded.

use crate::{
    docker::{
        command::Command,
        config::Places,
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

/// Links to the legacy programs by the names that dockerd asks for: before PATH, they are found first.
const FOLDER: &str = "/usr/local/sbin/.iptables-legacy";
const LEGACY: &CStr = c"/usr/local/sbin/.iptables-legacy/iptables";
/// All legacy programs in one.
const LEGACY_FILE: &[u8] = b"xtables-legacy-multi";
/// Set: legacy; set, but empty: nft's.
const VARIABLE: &[u8] = b"DOCKER_IPTABLES_LEGACY";

/// Which legacy tables this network namespace has: empty, or not there, without any.
const TABLES: [&CStr; 3] = [
    c"/proc/net/ip_tables_names",
    c"/proc/net/ip6_tables_names",
    c"/proc/net/arp_tables_names",
];

/// linux/netfilter/nf_tables.h: NFNL_SUBSYS_NFTABLES and its message NFT_MSG_GETGEN; an nfgenmsg of any family, of version 0.
const GET_GENERATION: u16 = 10 << 8 | 16;
const ANY_FAMILY: &[u8] = &[0; 4];

/// A flavour, and why it is this one.
struct Flavour {
    legacy: bool,
    why: &'static str,
    /// What an image without the legacy programs loses; nothing where nft's do as well.
    lost: &'static str,
}

const ASKED_FOR_NFT: Flavour = Flavour {
    legacy: false,
    why: "DOCKER_IPTABLES_LEGACY is empty",
    lost: "",
};
const ASKED_FOR_LEGACY: Flavour = Flavour {
    legacy: true,
    why: "DOCKER_IPTABLES_LEGACY is set",
    lost: "iptables stays the one in PATH",
};
const LEGACY_TABLES: Flavour = Flavour {
    legacy: true,
    why: "the kernel has legacy tables",
    lost: "",
};
const NO_NF_TABLES: Flavour = Flavour {
    legacy: true,
    why: "the kernel has no nf_tables",
    lost: "dockerd cannot make its rules",
};
const NF_TABLES: Flavour = Flavour {
    legacy: false,
    why: "the kernel has nf_tables",
    lost: "",
};

/// Puts the legacy programs first where they are the ones that the kernel needs.
///
/// # Errors
/// [`Step::Daemon`]: daemon.json cannot be read.
pub(crate) fn choose(launch: &Launch<'_>, command: &mut Command<'_>) -> Outcome<()> {
    let places = Places::of(launch, command)?;
    if places.choices & (NO_IPTABLES | NFTABLES) != 0 {
        return Ok(());
    }
    let flavour = flavour(
        command.variable(VARIABLE),
        || has_legacy_tables(launch),
        lacks_nf_tables,
    );
    let name: &[u8] = if flavour.legacy {
        b"legacy: "
    } else {
        b"nft: "
    };
    launch
        .log
        .debug(&[b"iptables ", name, flavour.why.as_bytes()]);
    if !flavour.legacy {
        return Ok(());
    }
    let legacy = fs::executable(LEGACY).if_exists_or_warn(launch.log, Step::Prerequisites, LEGACY);
    if legacy.is_some() {
        command.first_directory = FOLDER;
    } else if !flavour.lost.is_empty() && is_not_legacy(launch, command) {
        launch.log.warning(&[
            flavour.why.as_bytes(),
            b", but there is no ",
            LEGACY.to_bytes(),
            b": ",
            flavour.lost.as_bytes(),
        ]);
    }
    Ok(())
}

fn flavour(
    asked: Option<&[u8]>,
    has_legacy_tables: impl FnOnce() -> bool,
    lacks_nf_tables: impl FnOnce() -> bool,
) -> Flavour {
    match asked {
        Some(b"") => ASKED_FOR_NFT,
        Some(_) => ASKED_FOR_LEGACY,
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

/// Only where the kernel says that it knows nothing of it: a launch that may not ask leaves iptables as it is.
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

/// Whether iptables in PATH is another than the legacy one, which Debian's alternatives can make it. That there is none at all
/// is the prerequisites' to tell.
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
    fn as_docker_dind_chooses() {
        for (asked, tables, no_nf_tables, legacy) in [
            (Some(&b"1"[..]), false, false, true),
            (Some(b""), true, true, false),
            (None, true, false, true),
            (None, true, true, true),
            (None, false, true, true),
            (None, false, false, false),
        ] {
            let flavour = flavour(asked, || tables, || no_nf_tables);
            assert_eq!(flavour.legacy, legacy, "{}", flavour.why);
        }
    }

    /// Asking could load it.
    #[test]
    fn nf_tables_is_not_asked_for_where_there_are_legacy_tables() {
        assert!(flavour(None, || true, || unreachable!()).legacy);
        assert!(flavour(Some(b"x"), || unreachable!(), || unreachable!()).legacy);
    }
}
