//! What the daemon's flags and daemon.json can choose so that it needs a program no more, or another: `--iptables=false` and
//! its like, one table.

use crate::text::list;

/// Choices of the daemon's that a launch knows: bits.
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

pub(crate) struct Choice {
    pub(crate) bit: Choices,
    pub(crate) flag: &'static str,
    /// `--flag` alone is true, and its value stands behind `=` only.
    pub(crate) is_switch: bool,
    /// In daemon.json.
    key: &'static str,
    /// The values that make it, or else those that do not, separated by commas; an empty one never does.
    values: &'static str,
    by_others: bool,
    /// As somebody would write it.
    pub(crate) spelled: &'static str,
}

/// What strconv.ParseBool takes for false.
const FALSE: &str = "false,False,FALSE,f,F,0";

pub(crate) const CHOICES: &[Choice] = &[
    #[cfg(feature = "iptables")]
    Choice {
        bit: NO_IPTABLES,
        flag: "iptables",
        is_switch: true,
        key: "iptables",
        values: FALSE,
        by_others: false,
        spelled: "--iptables=false",
    },
    #[cfg(feature = "iptables")]
    Choice {
        bit: NO_IP6TABLES,
        flag: "ip6tables",
        is_switch: true,
        key: "ip6tables",
        values: FALSE,
        by_others: false,
        spelled: "--ip6tables=false",
    },
    #[cfg(feature = "iptables")]
    Choice {
        bit: NFTABLES,
        flag: "firewall-backend",
        is_switch: false,
        key: "firewall-backend",
        values: "nftables",
        by_others: false,
        spelled: "--firewall-backend=nftables",
    },
    Choice {
        bit: NO_PROXY,
        flag: "userland-proxy",
        is_switch: true,
        key: "userland-proxy",
        values: FALSE,
        by_others: false,
        spelled: "--userland-proxy=false",
    },
    Choice {
        bit: OTHER_PROXY,
        flag: "userland-proxy-path",
        is_switch: false,
        key: "userland-proxy-path",
        values: "",
        by_others: true,
        spelled: "--userland-proxy-path=PATH",
    },
    Choice {
        bit: OTHER_INIT,
        flag: "init-path",
        is_switch: false,
        key: "init-path",
        values: "",
        by_others: true,
        spelled: "--init-path=PATH",
    },
    Choice {
        bit: OTHER_CONTAINERD,
        flag: "containerd",
        is_switch: false,
        key: "containerd",
        values: "",
        by_others: true,
        spelled: "--containerd=SOCKET",
    },
    Choice {
        bit: EMBEDDED_CONTAINERD,
        flag: "feature",
        is_switch: false,
        key: "features.embedded-containerd",
        values: "embedded-containerd,embedded-containerd=true,embedded-containerd=1,true",
        by_others: false,
        spelled: "--feature=embedded-containerd",
    },
    Choice {
        bit: OTHER_RUNTIME,
        flag: "default-runtime",
        is_switch: false,
        key: "default-runtime",
        values: "runc,io.containerd.runc.v2",
        by_others: true,
        spelled: "--default-runtime=NAME",
    },
];

impl Choice {
    /// This value makes it.
    pub(crate) fn made_by(&self, value: &[u8]) -> bool {
        let listed = list(self.values.as_bytes()).any(|one| one == value);
        !value.is_empty() && listed != self.by_others
    }
}

/// What a key of daemon.json with that value chooses.
pub(crate) fn chosen(key: &[u8], value: &[u8]) -> Choices {
    let mut choices = CHOICES.iter();
    let choice = choices.find(|choice| choice.key.as_bytes() == key && choice.made_by(value));
    choice.map_or(0, |choice| choice.bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_of_daemon_json() {
        for (key, value, choices) in [
            #[cfg(feature = "iptables")]
            #[cfg(feature = "iptables")]
            #[cfg(feature = "iptables")]
            ("iptables", "false", NO_IPTABLES),
            ("iptables", "true", 0),
            ("userland-proxy", "false", NO_PROXY),
            ("features.embedded-containerd", "true", EMBEDDED_CONTAINERD),
            ("features.embedded-containerd", "false", 0),
            ("default-runtime", "kata", OTHER_RUNTIME),
            ("embedded-containerd", "true", 0),
        ] {
            assert_eq!(chosen(key.as_bytes(), value.as_bytes()), choices, "{key}");
        }
    }
}
