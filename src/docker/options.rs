//! Options of the daemon that change which programs it needs, such as `--iptables=false`, or how its containerd is started: one
//! table, for its flags and for daemon.json.

use crate::text::{list, split_once};

/// The options that are set, as bits.
pub(crate) type Choices = u16;
#[cfg(feature = "iptables")]
pub(crate) const NO_IPTABLES: Choices = 1;
#[cfg(feature = "iptables")]
pub(crate) const NO_IP6TABLES: Choices = 1 << 1;
#[cfg(feature = "iptables")]
pub(crate) const NFTABLES: Choices = 1 << 2;
pub(crate) const NO_PROXY: Choices = 1 << 3;
pub(crate) const OTHER_PROXY: Choices = 1 << 4;
pub(crate) const OTHER_INIT: Choices = 1 << 5;
pub(crate) const OTHER_CONTAINERD: Choices = 1 << 6;
pub(crate) const EMBEDDED_CONTAINERD: Choices = 1 << 7;
pub(crate) const OTHER_RUNTIME: Choices = 1 << 8;
#[cfg(feature = "check")]
pub(crate) const OTHER_DRIVER: Choices = 1 << 9;
#[cfg(feature = "supervise")]
pub(crate) const DEBUG: Choices = 1 << 10;
#[cfg(feature = "supervise")]
pub(crate) const CRI: Choices = 1 << 11;

pub(crate) struct Choice {
    pub(crate) bit: Choices,
    /// The key in daemon.json, and the flag's name.
    key: &'static str,
    /// The values that set it, separated by commas; or, with `by_others`, the values that do not. An empty value never sets it.
    values: &'static str,
    by_others: bool,
    /// How a user writes it.
    pub(crate) spelled: &'static str,
}

/// What Go's strconv.ParseBool reads as false, and as true.
const FALSE: &str = "false,False,FALSE,f,F,0";
const TRUE: &str = "true,True,TRUE,t,T,1";

pub(crate) const CHOICES: &[Choice] = &[
    #[cfg(feature = "iptables")]
    Choice {
        bit: NO_IPTABLES,
        key: "iptables",
        values: FALSE,
        by_others: false,
        spelled: "--iptables=false",
    },
    #[cfg(feature = "iptables")]
    Choice {
        bit: NO_IP6TABLES,
        key: "ip6tables",
        values: FALSE,
        by_others: false,
        spelled: "--ip6tables=false",
    },
    #[cfg(feature = "iptables")]
    Choice {
        bit: NFTABLES,
        key: "firewall-backend",
        values: "nftables",
        by_others: false,
        spelled: "--firewall-backend=nftables",
    },
    Choice {
        bit: NO_PROXY,
        key: "userland-proxy",
        values: FALSE,
        by_others: false,
        spelled: "--userland-proxy=false",
    },
    Choice {
        bit: OTHER_PROXY,
        key: "userland-proxy-path",
        values: "",
        by_others: true,
        spelled: "--userland-proxy-path=PATH",
    },
    Choice {
        bit: OTHER_INIT,
        key: "init-path",
        values: "",
        by_others: true,
        spelled: "--init-path=PATH",
    },
    Choice {
        bit: OTHER_CONTAINERD,
        key: "containerd",
        values: "",
        by_others: true,
        spelled: "--containerd=SOCKET",
    },
    Choice {
        bit: EMBEDDED_CONTAINERD,
        key: "features.embedded-containerd",
        values: TRUE,
        by_others: false,
        spelled: "--feature=embedded-containerd",
    },
    Choice {
        bit: OTHER_RUNTIME,
        key: "default-runtime",
        values: "runc,io.containerd.runc.v2",
        by_others: true,
        spelled: "--default-runtime=NAME",
    },
    #[cfg(feature = "check")]
    Choice {
        bit: OTHER_DRIVER,
        key: "storage-driver",
        values: "overlay2,overlay,overlayfs",
        by_others: true,
        spelled: "--storage-driver=NAME",
    },
    #[cfg(feature = "supervise")]
    Choice {
        bit: DEBUG,
        key: "debug",
        values: TRUE,
        by_others: false,
        spelled: "--debug",
    },
    #[cfg(feature = "supervise")]
    Choice {
        bit: CRI,
        key: "cri-containerd",
        values: TRUE,
        by_others: false,
        spelled: "--cri-containerd",
    },
];

impl Choice {
    fn is_set_by(&self, value: &[u8]) -> bool {
        let listed = list(self.values.as_bytes()).any(|one| one == value);
        !value.is_empty() && listed != self.by_others
    }
}

/// The options after this value of a key in daemon.json: the last of several values counts.
pub(crate) fn with_key(choices: Choices, key: &[u8], value: &[u8]) -> Choices {
    with(choices, &|choice| choice.key.as_bytes() == key, value)
}

/// The same for a flag. `--feature NAME[=BOOL]` is the key `features.NAME`.
pub(crate) fn with_flag(choices: Choices, flag: &str, value: &[u8]) -> Choices {
    if flag == "feature" {
        let (name, value) = split_once(value, b'=');
        let of_feature =
            |choice: &Choice| choice.key.as_bytes().strip_prefix(b"features.") == Some(name);
        return with(choices, &of_feature, value.unwrap_or(b"true"));
    }
    with_key(choices, flag.as_bytes(), value)
}

fn with(choices: Choices, is_meant: &dyn Fn(&Choice) -> bool, value: &[u8]) -> Choices {
    match CHOICES.iter().find(|choice| is_meant(choice)) {
        Some(choice) if choice.is_set_by(value) => choices | choice.bit,
        Some(choice) => choices & !choice.bit,
        None => choices,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_of_daemon_json() {
        for (key, value, choices) in [
            #[cfg(feature = "iptables")]
            ("iptables", "false", NO_IPTABLES),
            ("iptables", "true", 0),
            ("userland-proxy", "false", NO_PROXY),
            ("features.embedded-containerd", "true", EMBEDDED_CONTAINERD),
            ("features.embedded-containerd", "false", 0),
            ("default-runtime", "kata", OTHER_RUNTIME),
            ("embedded-containerd", "true", 0),
        ] {
            assert_eq!(
                with_key(0, key.as_bytes(), value.as_bytes()),
                choices,
                "{key}"
            );
        }
    }

    #[test]
    fn d7_the_last_value_counts() {
        let last = |choices, value: &[u8]| with_flag(choices, "userland-proxy", value);
        assert_eq!(last(last(0, b"false"), b"true"), 0);
        assert_eq!(last(last(0, b"true"), b"F"), NO_PROXY);
        assert_eq!(last(OTHER_INIT, b"0"), OTHER_INIT | NO_PROXY);
        let feature = |choices, value: &[u8]| with_flag(choices, "feature", value);
        let embedded = feature(0, b"embedded-containerd");
        assert_eq!(embedded, EMBEDDED_CONTAINERD);
        assert_eq!(feature(embedded, b"containerd-snapshotter=false"), embedded);
        assert_eq!(feature(embedded, b"embedded-containerd=F"), 0);
    }
}
