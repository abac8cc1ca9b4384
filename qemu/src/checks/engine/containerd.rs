//! The containerd that PID 1 starts: its configuration is the one that this suite's dockerd writes for its own.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bollard::models::HostConfig;

use super::place::{Place, with};

/// A second dockerd on the guest's root, until it has written its file.
const SECOND: &str = "cd /host/run/docker/containerd && cat containerd.toml && echo ---- || exit 1
mkdir -p /host/run/second
chroot /host /usr/sbin/dockerd --data-root /run/second/data --exec-root /run/second/exec --pidfile /run/second/pid \
    -H unix:///run/second/sock --bridge none --iptables=false --ip6tables=false > /log 2>&1 &
cd /host/run; for i in $(seq 300); do [ -s second/exec/containerd/containerd.toml ] && break; usleep 100000; done
cat second/exec/containerd/containerd.toml || cat /log; kill $!; wait; rm -rf second";

const ROOTS: &[(&str, &str)] = &[
    ("/run/second/data", "/var/lib/docker"),
    ("/run/second/exec", "/var/run/docker"),
];

/// Values of dockerd's that mean the same to containerd as ours, or as none.
const SAME: &[(&str, &str)] = &[
    // Docker 20.10 writes the form before version 2, with that form's name of the plugin.
    ("version", "0"),
    ("disabled_plugins", "[\"cri\"]"),
    // containerd's defaults.
    ("debug.level", "\"info\""),
    ("debug.format", "\"text\""),
    ("grpc.max_recv_message_size", "16777216"),
    ("grpc.max_send_message_size", "16777216"),
    // The runtime of Docker 18.09, which nothing uses.
    ("plugins.linux.shim", "\"containerd-shim\""),
    ("plugins.linux.runtime", "\"runc\""),
    ("plugins.linux.runtime_root", "\"/var/lib/docker/runc\""),
];
const EMPTY: &[&str] = &["\"\"", "0", "[]", "false"];

pub(super) fn configuration(place: &Place) -> Result<()> {
    let host = HostConfig {
        privileged: Some(true),
        binds: Some(vec!["/:/host".into()]),
        ..HostConfig::default()
    };
    let ran = place.engine.run_with(&["sh", "-c", SECOND], with(host))?;
    let said = ran.output;
    let (ours, theirs) = said.split_once("----\n").with_context(|| said.clone())?;
    let mut theirs = theirs.to_owned();
    for (second, first) in ROOTS {
        theirs = theirs.replace(second, first);
    }
    compare(&flat(ours), &flat(&theirs)).with_context(|| theirs)
}

/// Each value by its key, with the name of its table before it.
fn flat(toml: &str) -> BTreeMap<String, String> {
    let mut table = String::new();
    let mut values = BTreeMap::new();
    for line in toml.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((key, value)) = line.split_once(" = ") {
            values.insert(format!("{table}{key}"), value.to_owned());
        }
    }
    values
}

fn compare(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Result<()> {
    ensure!(
        ours.len() > 5 && theirs.len() > 5,
        "no configurations: {ours:?}, {theirs:?}"
    );
    for (key, value) in theirs {
        let is_same = SAME.contains(&(key, value));
        match ours.get(key) {
            Some(own) => ensure!(own == value || is_same, "{key} is {own}, dockerd's {value}"),
            None => ensure!(
                EMPTY.contains(&value.as_str()) || is_same,
                "dockerd has {key} = {value}"
            ),
        }
    }
    let more = ours.keys().find(|key| !theirs.contains_key(*key));
    ensure!(more.is_none(), "dockerd has no {more:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "version = 2\nroot = \"/r\"\nstate = \"/s\"\ndisabled_plugins = [\"x\"]\n[grpc]\naddress = \"/a\"\n[debug]\nlevel = \"\"\n";

    fn compared(from: &str, to: &str) -> Result<()> {
        compare(&flat(OURS), &flat(&OURS.replace(from, to)))
    }

    #[test]
    fn a_difference_that_matters_is_found() {
        compared("", "").unwrap();
        compared("version = 2", "version = 0").unwrap();
        compared("[debug]", "temp = \"\"\n[debug]").unwrap();
        for (from, to) in [
            ("/r", "/other"),
            ("[debug]", "path = \"/x\"\n[debug]"),
            ("address = \"/a\"", "uid = 0"),
            ("level = \"\"", "level = \"warn\""),
        ] {
            assert!(compared(from, to).is_err(), "{to}");
        }
    }
}
