//! Which daemon starts, with which arguments, in which environment.

use crate::{
    root::Root,
    util::{Needs, tests},
};

tests![Needs::Root;
    without_arguments_the_daemon_is_dockerd,
    a_first_argument_with_a_dash_is_for_dockerd,
    two_dashes_end_the_options_of_dockerlaunch,
    check_after_two_dashes_is_for_dockerd,
    a_name_is_looked_up_in_path_and_a_path_is_not,
    the_first_executable_in_path_is_chosen,
    old_spellings_become_dockerd_if_it_is_installed,
    old_spellings_stay_if_dockerd_is_missing,
    arguments_of_an_image_with_debians_docker,
    the_environment_is_passed_on_without_settings,
    path_and_home_are_kept,
    the_kernels_home_becomes_root,
    inherited_listen_variables_are_dropped,
];

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The daemon's arguments, and its executable file.
fn started(root: &Root, words: &[&str]) -> (Vec<String>, String) {
    let daemon = root.machine().words(words).running();
    let exe = std::fs::read_link(format!("/proc/{}/exe", daemon.pid)).unwrap();
    (daemon.words(), exe.to_str().unwrap().to_string())
}

fn without_arguments_the_daemon_is_dockerd() {
    assert_eq!(
        started(&Root::new(), &[]),
        (vec!["dockerd".into()], "/usr/bin/dockerd".into())
    );
}

fn a_first_argument_with_a_dash_is_for_dockerd() {
    let (words, exe) = started(&Root::new(), &["--debug", "-l", "warn", ""]);
    assert_eq!(words, ["dockerd", "--debug", "-l", "warn", ""]);
    assert_eq!(exe, "/usr/bin/dockerd");
}

fn two_dashes_end_the_options_of_dockerlaunch() {
    for word in ["--version", "--help"] {
        let (words, _) = started(&Root::new(), &["--", word]);
        assert_eq!(words, ["dockerd", word]);
    }
}

fn check_after_two_dashes_is_for_dockerd() {
    let (words, _) = started(&Root::new(), &["--", "--check"]);
    assert_eq!(words, ["dockerd", "--check"]);
}

fn a_name_is_looked_up_in_path_and_a_path_is_not() {
    let root = Root::new();
    root.stand_in("/opt/appliance")
        .stand_in("/usr/local/bin/appliance");
    let (words, exe) = started(&root, &["appliance", "a", "--b=c"]);
    assert_eq!(words, ["appliance", "a", "--b=c"]);
    assert_eq!(exe, "/usr/local/bin/appliance");
    let (words, exe) = started(&root, &["/opt/appliance", "--"]);
    assert_eq!(words, ["/opt/appliance", "--"]);
    assert_eq!(exe, "/opt/appliance");
}

/// A directory, and a file without its x bit, are skipped, as shells do.
fn the_first_executable_in_path_is_chosen() {
    let root = Root::new();
    root.directory("/a/dockerd")
        .file("/b/dockerd", "")
        .stand_in("/c/dockerd")
        .stand_in("/d/dockerd");
    let daemon = root
        .machine()
        .variable("PATH", "/none::/a:/b:/c:/d")
        .variable("DOCKER_LAUNCH_PREREQUISITES", "skip")
        .running();
    let exe = std::fs::read_link(format!("/proc/{}/exe", daemon.pid)).unwrap();
    assert_eq!(exe.to_str(), Some("/c/dockerd"));
    assert!(
        daemon
            .environment()
            .contains(&"PATH=/none::/a:/b:/c:/d".into())
    );
}

fn old_spellings_become_dockerd_if_it_is_installed() {
    let root = Root::new();
    root.stand_in("/usr/bin/docker");
    for old in [
        &["docker", "-d", "-D"][..],
        &["/usr/bin/docker", "daemon", "-D"],
        &["docker", "--daemon", "-D"],
    ] {
        let (words, exe) = started(&root, old);
        assert_eq!(words, ["dockerd", "-D"], "{old:?}");
        assert_eq!(exe, "/usr/bin/dockerd");
    }
    let (words, _) = started(&root, &["docker", "ps", "-d"]);
    assert_eq!(words, ["docker", "ps", "-d"]);
}

fn old_spellings_stay_if_dockerd_is_missing() {
    let root = Root::new();
    std::fs::remove_file(root.path("/usr/bin/dockerd")).unwrap();
    root.stand_in("/usr/bin/docker");
    for old in [&["docker", "-d", "-D"][..], &["/usr/bin/docker", "daemon"]] {
        let (words, exe) = started(&root, old);
        assert_eq!(words, old);
        assert_eq!(exe, "/usr/bin/docker");
    }
}

/// ENTRYPOINT ["/usr/bin/dockerlaunch", "/usr/bin/docker"] and CMD ["-d", "-s", "overlay2"]; dockerd is in /usr/sbin, and the
/// client may be missing.
fn arguments_of_an_image_with_debians_docker() {
    for with_client in [true, false] {
        let root = Root::new();
        std::fs::remove_file(root.path("/usr/bin/dockerd")).unwrap();
        root.stand_in("/usr/sbin/dockerd");
        if with_client {
            root.stand_in("/usr/bin/docker");
        }
        let words = ["/usr/bin/docker", "-d", "-s", "overlay2"];
        let daemon = root.container().words(words).running();
        assert_eq!(daemon.words(), ["dockerd", "-s", "overlay2"]);
        let exe = std::fs::read_link(format!("/proc/{}/exe", daemon.pid)).unwrap();
        assert_eq!(exe.to_str(), Some("/usr/sbin/dockerd"));
    }
}

fn the_environment_is_passed_on_without_settings() {
    let root = Root::new();
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_DEBUG", "false")
        .variable("DOCKER_HOST", "a=b=c")
        .variable("EMPTY", "")
        .variable("TERM", "linux")
        .running();
    assert_eq!(
        daemon.environment(),
        [
            "DOCKER_HOST=a=b=c",
            "EMPTY=",
            "HOME=/root",
            PATH,
            "TERM=linux"
        ]
    );
}

fn path_and_home_are_kept() {
    let root = Root::new();
    let daemon = root
        .machine()
        .variable("PATH", "/usr/bin:/usr/sbin")
        .variable("HOME", "/home")
        .running();
    assert_eq!(
        daemon.environment(),
        ["HOME=/home", "PATH=/usr/bin:/usr/sbin"]
    );
}

fn the_kernels_home_becomes_root() {
    let root = Root::new();
    let daemon = root.machine().variable("HOME", "/").running();
    assert_eq!(daemon.environment(), ["HOME=/root", PATH]);
    drop(daemon);
    // In a container somebody has chosen it.
    let daemon = root.container().variable("HOME", "/").running();
    assert_eq!(daemon.environment(), ["HOME=/", PATH]);
}

fn inherited_listen_variables_are_dropped() {
    let root = Root::new();
    let daemon = root
        .machine()
        .variable("LISTEN_PID", "77")
        .variable("LISTEN_FDS", "2")
        .variable("LISTEN_FDNAMES", "a:b")
        .variable("LISTENER", "kept")
        .running();
    assert_eq!(daemon.environment(), ["HOME=/root", "LISTENER=kept", PATH]);
}
