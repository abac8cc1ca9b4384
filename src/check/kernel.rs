//! Reports what the kernel offers: one table, whose rows are looked up in the kernel's files and module lists, so that the
//! lookup loads no module.

use super::report::{Report, State};
use crate::{
    docker::{
        needs::{MISSING, Need, choice},
        options::*,
    },
    fs,
    sys::namespaces::{Kind, USER},
    text::{base_name, split_once, words},
};
use Need::{Optional, Required};
use core::ffi::CStr;
use rustix::fs::CWD;

/// A feature of the kernel.
struct Row {
    name: &'static str,
    how: How,
    need: Need,
    lost: &'static str,
    /// The error of the engine, runc or iptables without it.
    error: &'static str,
    /// Any of these choices makes it unnecessary.
    unless: Choices,
}

/// One of these rows is enough.
const EITHER: [&str; 2] = ["nf_tables", "ip_tables"];

/// How to find out whether the kernel has it.
#[derive(Clone, Copy)]
enum How {
    /// By /proc/filesystems, or by a module of that name.
    FileSystem,
    /// By a module that is loaded, built in or loadable; or by a file that exists only with it.
    Module(&'static CStr),
    /// By this file alone.
    File(&'static CStr),
    /// By this process being in the first namespace of that kind.
    First(Kind),
}
use How::{File, FileSystem, First, Module};

const NO_CONTAINER: &str = "no container starts";
const NAMESPACES: &str = "failed to unshare remaining namespaces: Invalid argument";
#[cfg(feature = "iptables")]
const NO_RULES: &str = "dockerd does not start: it cannot make its rules";

const PLAIN: Row = Row {
    name: "",
    how: FileSystem,
    need: Required,
    lost: NO_CONTAINER,
    error: NAMESPACES,
    unless: 0,
};

const TABLE: &[Row] = &[
    Row {
        name: "overlay",
        how: FileSystem,
        lost: "Docker 29 and newer cannot store images, older ones copy each layer whole",
        error: "failed to mount overlay: no such device",
        unless: OTHER_DRIVER,
        ..PLAIN
    },
    Row {
        name: "mount namespaces",
        how: File(c"/proc/self/ns/mnt"),
        ..PLAIN
    },
    Row {
        name: "PID namespaces",
        how: File(c"/proc/self/ns/pid"),
        ..PLAIN
    },
    Row {
        name: "network namespaces",
        how: File(c"/proc/self/ns/net"),
        ..PLAIN
    },
    Row {
        name: "IPC namespaces",
        how: File(c"/proc/self/ns/ipc"),
        ..PLAIN
    },
    Row {
        name: "UTS namespaces",
        how: File(c"/proc/self/ns/uts"),
        ..PLAIN
    },
    Row {
        name: "cgroup namespaces",
        how: File(c"/proc/self/ns/cgroup"),
        need: Optional,
        lost: "containers see the host's cgroups",
        error: "Your kernel does not support cgroup namespaces",
        ..PLAIN
    },
    Row {
        name: "user namespaces",
        how: File(c"/proc/self/ns/user"),
        need: Optional,
        lost: "--userns-remap fails",
        error: "user namespaces aren't enabled in the kernel",
        ..PLAIN
    },
    Row {
        name: "the machine's root",
        how: First(USER),
        need: Optional,
        lost: "root in a user namespace lacks some permissions; run with --privileged --userns=host",
        error: "operation not permitted",
        ..PLAIN
    },
    Row {
        name: "seccomp",
        how: File(c"/proc/sys/kernel/seccomp/actions_avail"),
        need: Optional,
        lost: "containers may use every system call",
        error: "seccomp is not enabled in your kernel, running container without default profile",
        ..PLAIN
    },
    Row {
        name: "bridge",
        how: Module(c"/sys/module/bridge"),
        lost: "dockerd does not start: it cannot make docker0",
        error: "error creating default \"bridge\" network: operation not supported",
        ..PLAIN
    },
    Row {
        name: "veth",
        how: Module(c"/sys/module/veth"),
        lost: "no container gets a network",
        error: "failed to add the host <=> sandbox pair interfaces: operation not supported",
        ..PLAIN
    },
    Row {
        name: "br_netfilter",
        how: Module(c"/proc/sys/net/bridge"),
        need: Optional,
        lost: "rules do not apply between containers of one bridge; --userland-proxy=false fails",
        error: "WARNING: bridge-nf-call-iptables is disabled",
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "nf_tables",
        how: Module(c"/sys/module/nf_tables"),
        lost: NO_RULES,
        error: "Failed to initialize nft: Protocol not supported",
        unless: NO_IPTABLES,
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "ip_tables",
        how: Module(c"/proc/net/ip_tables_names"),
        need: Optional,
        lost: "iptables-legacy does not work",
        error: "can't initialize iptables table `nat': iptables who? (do you need to insmod?)",
        unless: NO_IPTABLES | NFTABLES,
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "nf_conntrack",
        how: Module(c"/proc/sys/net/netfilter/nf_conntrack_max"),
        lost: NO_RULES,
        error: "RULE_APPEND failed (No such file or directory): rule in chain DOCKER-FORWARD",
        unless: NO_IPTABLES,
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "nf_nat",
        how: Module(c"/sys/module/nf_nat"),
        lost: NO_RULES,
        error: "failed to create NAT chain DOCKER",
        unless: NO_IPTABLES,
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_addrtype",
        how: Module(c"/sys/module/xt_addrtype"),
        lost: NO_RULES,
        error: "Extension addrtype revision 0 not supported, missing kernel module?",
        unless: NO_IPTABLES | NFTABLES,
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_conntrack",
        how: Module(c"/sys/module/xt_conntrack"),
        lost: NO_RULES,
        error: "Extension conntrack revision 0 not supported, missing kernel module?",
        unless: NO_IPTABLES | NFTABLES,
        ..PLAIN
    },
    #[cfg(feature = "iptables")]
    Row {
        name: "xt_MASQUERADE",
        how: Module(c"/sys/module/xt_MASQUERADE"),
        lost: NO_RULES,
        error: "Extension MASQUERADE revision 0 not supported, missing kernel module?",
        unless: NO_IPTABLES | NFTABLES,
        ..PLAIN
    },
];

/// Rows as bits.
type Rows = u32;
const _: () = assert!(TABLE.len() <= Rows::BITS as usize);

/// The rows that the kernel's lists contain.
struct Lists {
    file_systems: Rows,
    loaded: Rows,
    built_in: Rows,
    loadable: Rows,
    /// Whether modules.dep could be read: then a module that it does not list does not exist.
    are_there: bool,
}

pub(super) fn report(report: &mut Report, choices: Choices, is_sure: bool, release: &CStr) {
    let lists = Lists::read(release);
    let found: Rows = bits(|row, bit| lists.how(row, bit).is_some());
    let either = bits(|row, _| EITHER.contains(&row.name)) & found != 0;
    for (number, row) in TABLE.iter().enumerate() {
        let bit = 1 << number;
        let (state, key, detail) = match lists.how(row, bit) {
            Some(how) => (State::Found, "how", how),
            None if row.unless & choices != 0 => {
                let why = choice(row.unless & choices).map_or("", |choice| choice.spelled);
                (State::Needless, "because", why)
            }
            None if either && EITHER.contains(&row.name) => (
                State::Needless,
                "because",
                "nf_tables or ip_tables is enough",
            ),
            None if !lists.are_there && !matches!(row.how, File(_) | First(_)) => (
                State::Unknown,
                "because",
                "it is not visible, and /lib/modules has no list for this kernel",
            ),
            None if !is_sure && row.unless != 0 => (State::Unknown, "because", super::UNSURE),
            None => (State::missing(row.need), "fault", MISSING),
        };
        let without = (row.need, row.lost, row.error);
        report.offer("kernel", row.name, state, (key, detail), without);
    }
}

impl Lists {
    fn read(release: &CStr) -> Self {
        let list = |name: &[u8]| {
            let mut rows = 0;
            let path = fs::path(&[b"/lib/modules/", release.to_bytes(), name]);
            let read = fs::lines(path.as_c_str(), &mut |line| {
                let (module, _) = split_once(line, b':');
                rows |= named(module_name(module));
            });
            read.map(|()| rows)
        };
        let (built_in, loadable) = (list(b"/modules.builtin"), list(b"/modules.dep"));
        let mut lists = Self {
            file_systems: 0,
            loaded: 0,
            are_there: loadable.is_ok(),
            built_in: built_in.unwrap_or(0),
            loadable: loadable.unwrap_or(0),
        };
        // A kernel without one of these files has no such entries.
        let _ = fs::lines(c"/proc/filesystems", &mut |line| {
            lists.file_systems |= named(words(line).last().unwrap_or_default());
        });
        let _ = fs::lines(c"/proc/modules", &mut |line| {
            lists.loaded |= named(words(line).next().unwrap_or_default());
        });
        lists
    }

    /// How the kernel has the feature; `None` if it does not.
    fn how(&self, row: &Row, bit: Rows) -> Option<&'static str> {
        let shows = match row.how {
            FileSystem => self.file_systems & bit != 0,
            // A path that cannot be looked up counts as existing.
            Module(file) | File(file) => fs::exists(CWD, file) != Ok(false),
            First(kind) => kind.is_first() == Some(true),
        };
        match row.how {
            File(_) => shows.then_some("built in"),
            First(_) => shows.then_some("in the first user namespace"),
            _ if self.loaded & bit != 0 => Some("loaded"),
            _ if self.built_in & bit != 0 || shows => Some("built in"),
            _ if self.loadable & bit != 0 => Some("a module, not loaded yet"),
            _ => None,
        }
    }
}

fn bits(is: impl Fn(&Row, Rows) -> bool) -> Rows {
    let bit = |number: usize, row| Rows::from(is(row, 1 << number)) << number;
    let rows = TABLE.iter().enumerate();
    rows.fold(0, |bits, (number, row)| bits | bit(number, row))
}

/// The row of that module name. The kernel uses underscores; file names may have dashes.
fn named(name: &[u8]) -> Rows {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    bits(|row, _| row.name.bytes().eq(name.iter().map(plain)))
}

/// `bridge` for `kernel/net/bridge/bridge.ko.xz`.
fn module_name(path: &[u8]) -> &[u8] {
    split_once(base_name(path), b'.').0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_row_of_a_module_file() {
        assert_eq!(
            module_name(b"kernel/net/bridge/br_netfilter.ko.xz"),
            b"br_netfilter"
        );
        assert_eq!(named(b"br-netfilter"), named(b"br_netfilter"));
        assert_eq!(named(b"br-netfilter").count_ones(), 1);
        assert_eq!(named(b""), 0);
    }

    #[cfg(feature = "iptables")]
    #[test]
    fn the_alternatives_are_rows() {
        for name in EITHER {
            assert_ne!(named(name.as_bytes()), 0, "{name}");
        }
    }
}
