//! The settings: each wrong value is reported with the allowed ones, and each setting that this build lacks with the reason; the
//! exit status is 2, before the launch touches anything.

use crate::{
    program::bare,
    refusals::assert_refused,
    root::Root,
    util::{Needs, has_feature, tests},
};

tests![Needs::Root;
    a_setting_with_a_wrong_value,
    a_setting_that_this_build_supports,
    a_setting_that_this_build_lacks,
    g5_a_program_without_features_refuses_all_of_them,
    a_name_server_must_be_an_address,
    an_invalid_module_name_is_refused_before_any_change,
    an_unknown_setting_is_only_a_warning;
    Needs::Features(&["state"]) => a_format_without_a_disk
];

/// Name, wrong values, what is allowed.
pub(crate) const WRONG: &[(&str, &[&str], &str)] = &[
    (
        "DEBUG",
        &["yes", "", "True", "true ", "true, false", "allowed", ","],
        "allowed: true, false",
    ),
    ("AS", &["host", ""], "allowed: auto, machine, container"),
    ("REAP", &["yes"], "allowed: auto, false, true"),
    ("CGROUP", &["v3", "V2"], "allowed: auto, v2, v1, hybrid"),
    (
        "MODULES",
        &["a b", "a,../b", "a;b"],
        "allowed: at most 48 names of up to 56 letters, digits, _ and -, separated by commas",
    ),
    ("PREREQUISITES", &["maybe"], "allowed: require, warn, skip"),
    (
        "STATE",
        &["sda", "label=x", ""],
        "allowed: /dev/…, LABEL=, UUID=, PARTLABEL=, PARTUUID=",
    ),
    ("STATE_FORMAT", &["ntfs"], "allowed: ext4, xfs, btrfs"),
    (
        "IP",
        &["10.0.2", "10.0.2.256/24", ""],
        "its client address is neither IPv4 (10.0.2.15) nor IPv6 in brackets nor dhcp",
    ),
    (
        "IP",
        &["10.0.2.15/33", "10.0.2.15:::255.0.255.0"],
        "its netmask is neither /0 to /32 nor a mask like 255.255.255.0",
    ),
    (
        "IP",
        &["10.0.2.15::::::x", "dhcp::::::1"],
        "its autoconf is none of off, none, static, on, any, both, dhcp, bootp, rarp",
    ),
    (
        "IP",
        &["10.0.2.15::gateway"],
        "its gateway is not an address of the client's IP version",
    ),
    (
        "IP",
        &["10.0.2.15::::a-name-of-more-than-the-sixty-four-bytes-that-the-kernel-can-keep-of-one"],
        "its hostname is longer than 64 bytes",
    ),
    (
        "IP",
        &["10.0.2.15:::::sixteen-letters-"],
        "its device is not the name of an interface, at most 15 bytes",
    ),
    (
        "IP",
        &["10.0.2.15:::::::x"],
        "its first name server is not an address",
    ),
    (
        "IP",
        &["10.0.2.15::::::::x"],
        "its second name server is not an address",
    ),
    (
        "DNS",
        &["1.2.3.4,1.2.3.4,1.2.3.4,1.2.3.4", "1.2.3.x"],
        "allowed: at most three addresses, separated by commas",
    ),
    (
        "HOSTNAME",
        &["", "a_b", "a b"],
        "allowed: 1 to 64 letters, digits, dots and dashes",
    ),
    (
        "READY",
        &["ready", ""],
        "allowed: the path of a program, from /",
    ),
    (
        "ON_EXIT",
        &["stop"],
        "allowed: restart, poweroff, reboot, halt, exit",
    ),
    (
        "ON_FAILURE",
        &["stop"],
        "allowed: panic, poweroff, reboot, shell",
    ),
    (
        "SHUTDOWN_TIMEOUT",
        &["0", "86401", "-1", "1s", ""],
        "allowed: 1 to 86400 seconds",
    ),
];

/// The Cargo feature that the setting needs, its name, allowed values, and why a build without the feature refuses them.
const NOT_BUILT: &[(&str, &str, &[&str], &str)] = &[
    (SUPERVISE, "REAP", &["true"], NO_SUPERVISE),
    (SUPERVISE, "READY", &["/bin/ready"], NO_SUPERVISE),
    (
        SUPERVISE,
        "ON_EXIT",
        &["restart", "poweroff", "reboot", "halt", "exit"],
        NO_SUPERVISE,
    ),
    (SUPERVISE, "SHUTDOWN_TIMEOUT", &["90"], NO_SUPERVISE),
    (
        STATE,
        "STATE",
        &["/dev/vda", "LABEL=x", "UUID=1", "PARTLABEL=x", "PARTUUID=1"],
        NO_STATE,
    ),
    (STATE, "STATE_FORMAT", &["ext4", "xfs", "btrfs"], NO_STATE),
    (
        NETWORK,
        "IP",
        &["dhcp", "10.0.2.15/24", "10.0.2.15::::::dhcp"],
        NO_NETWORK,
    ),
    (NETWORK, "DNS", &["10.0.2.3"], NO_NETWORK),
    (NETWORK, "HOSTNAME", &["box"], NO_NETWORK),
    (
        "modprobe",
        "MODULES",
        &["zram"],
        "this build loads no modules: it needs the Cargo feature `modprobe`",
    ),
];
const SUPERVISE: &str = "supervise";
const NO_SUPERVISE: &str = "this build cannot supervise: it needs the Cargo feature `supervise`";
const STATE: &str = "state";
const NO_STATE: &str = "this build has no state disk: it needs the Cargo feature `state`";
const NETWORK: &str = "network";
const NO_NETWORK: &str = "this build has no network: it needs the Cargo feature `network`";

fn assert_settings_refused(table: &[(&str, &[&str], &str)]) {
    assert_refused_by(&Root::new(), table);
}

fn assert_refused_by(root: &Root, table: &[(&str, &[&str], &str)]) {
    for (name, values, reason) in table {
        for value in *values {
            let name = format!("DOCKER_LAUNCH_{name}");
            // The daemon is missing as well: the setting is reported first.
            let start = root.start().words(["no-such"]).variable(&name, value);
            assert_refused(start, 2, &format!("setting {name}={value}: {reason}"));
        }
    }
}

fn a_setting_with_a_wrong_value() {
    assert_settings_refused(WRONG);
}

/// Hexadecimal digits alone are no address.
fn a_name_server_must_be_an_address() {
    assert_settings_refused(&[(
        "DNS",
        &["cafe", "10", "1.2.3.4,:"],
        "allowed: at most three addresses, separated by commas",
    )]);
}

fn a_setting_that_this_build_lacks() {
    for (feature, name, values, reason) in NOT_BUILT {
        if !has_feature(feature) {
            assert_settings_refused(&[(name, values, reason)]);
        }
    }
}

/// Only the missing daemon ends this launch.
fn a_setting_that_this_build_supports() {
    let built = |row: &&(&str, _, _, _)| has_feature(row.0);
    for (_, name, values, _) in NOT_BUILT.iter().filter(built) {
        for value in *values {
            let root = Root::new();
            let start = root.container().words(["no-such"]);
            let mut start = start.variable(format!("DOCKER_LAUNCH_{name}"), value);
            if *name == "STATE_FORMAT" {
                start = start.variable("DOCKER_LAUNCH_STATE", "/dev/vda");
            }
            let ended = start.ended();
            assert_eq!(ended.status, 127, "{name}={value}: {}", ended.stderr);
        }
    }
}

/// Whatever features the program under test has.
fn g5_a_program_without_features_refuses_all_of_them() {
    let root = Root::new();
    root.program(&bare());
    for (_, name, values, reason) in NOT_BUILT {
        assert_refused_by(&root, &[(name, values, reason)]);
    }
}

/// Both values are allowed; the other setting is missing.
fn a_format_without_a_disk() {
    let root = Root::new();
    let start = root.start().variable("DOCKER_LAUNCH_STATE_FORMAT", "xfs");
    let line = "setting DOCKER_LAUNCH_STATE_FORMAT: name the disk in DOCKER_LAUNCH_STATE, too";
    assert_refused(start, 2, line);
}

fn an_unknown_setting_is_only_a_warning() {
    let root = Root::new();
    let daemon = root
        .container()
        .variable("DOCKER_LAUNCH_DEBUGS", "true")
        .variable("DOCKER_LAUNCH_", "")
        .running();
    for variable in ["DOCKER_LAUNCH_DEBUGS=true", "DOCKER_LAUNCH_="] {
        let line = format!(
            "dockerlaunch: warning: {variable} is not a setting of dockerlaunch; it is ignored\n"
        );
        assert!(daemon.log().contains(&line), "{}", daemon.log());
    }
}

fn an_invalid_module_name_is_refused_before_any_change() {
    let root = Root::new();
    for value in ["m".repeat(57), vec!["m"; 65].join(",")] {
        let before = root.tree();
        let ended = root
            .start()
            .variable("DOCKER_LAUNCH_MODULES", value)
            .ended();
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert_eq!(root.tree(), before);
    }
}
