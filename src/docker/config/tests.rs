//! Flags and files in odd forms, and what is known from them.

use super::*;
use crate::docker::options::*;
use std::ffi::CString;

fn command<'a>(words: &'a [&'a CStr]) -> Command<'a> {
    Command::new(c"/bin/sh", words, &[]).unwrap()
}

fn read(command: &Command<'_>) -> Config {
    let mut config = Config::unset();
    config.read_all(command).unwrap();
    config
}

#[test]
fn the_data_root_is_found_in_its_old_spellings() {
    for (words, root) in [
        (&[][..], &b"/var/lib/docker"[..]),
        (&[c"--data-root=/a"], b"/a"),
        (&[c"-g", c"/a"], b"/a"),
        (&[c"--graph", c"/a"], b"/a"),
        (&[c"--data-root=/a", c"--graph=/b"], b"/a"),
    ] {
        let words = [words, &[c"--config-file=/none"]].concat();
        let config = read(&command(&words));
        assert_eq!(config.data_root.as_bytes(), root);
    }
}

#[test]
fn choices_are_made_by_their_values_only() {
    for (word, choices) in [
        #[cfg(feature = "iptables")]
        (c"--iptables=false", NO_IPTABLES),
        #[cfg(feature = "iptables")]
        (c"--iptables=0", NO_IPTABLES),
        (c"--iptables", 0),
        (c"--iptables=true", 0),
        (c"--iptables=", 0),
        #[cfg(feature = "iptables")]
        (c"--ip6tables=f", NO_IP6TABLES),
        (c"--userland-proxy=FALSE", NO_PROXY),
        (c"--userland-proxy-path=/x", OTHER_PROXY),
        #[cfg(feature = "iptables")]
        (c"--firewall-backend=nftables", NFTABLES),
        (c"--firewall-backend=iptables", 0),
        (c"--init-path=/x", OTHER_INIT),
        (c"--containerd=/x", OTHER_CONTAINERD),
        (c"--containerd=", 0),
        (c"--feature=embedded-containerd", EMBEDDED_CONTAINERD),
        (c"--feature=embedded-containerd=false", 0),
        (c"--default-runtime=crun", 0),
        (c"--default-runtime=io.containerd.kata.v2", OTHER_RUNTIME),
        (
            c"--default-runtime=/opt/containerd-shim-kata-v2",
            OTHER_RUNTIME,
        ),
        (c"--default-runtime=io.containerd.runc.v2", 0),
        (c"--default-runtime=runc", 0),
    ] {
        let words = [word, c"--config-file=/none"];
        assert_eq!(read(&command(&words)).choices, choices, "{word:?}");
    }
    // pflag reads a switch's value behind `=` only.
    let words = [c"--userland-proxy", c"false", c"--config-file=/none"];
    assert_eq!(read(&command(&words)).choices, 0);
}

#[test]
fn flags_win_over_daemon_json_and_that_over_defaults() {
    let path = std::env::temp_dir().join(std::format!("config-{}.json", std::process::id()));
    let json = r#"{"pidfile": "/a.pid", "exec-root": "/b", "hosts": ["fd://"], "data-root": "/d",
        "features": {"embedded-containerd": true}, "userland-proxy": false}"#;
    std::fs::write(&path, json).unwrap();
    let file = CString::new(path.to_str().unwrap()).unwrap();
    let file = file.as_c_str();
    let words = [c"--config-file", file, c"-p/c.pid"];
    let config = read(&command(&words));
    assert_eq!(config.pid_file.as_bytes(), b"/c.pid");
    assert_eq!(config.exec_root.as_bytes(), b"/b");
    assert_eq!(config.data_root.as_bytes(), b"/d");
    assert_eq!(config.choices, EMBEDDED_CONTAINERD | NO_PROXY);
    assert!(config.inherits_listener);
    std::fs::remove_file(path).unwrap();

    let config = read(&command(&[c"--config-file=/none"]));
    assert_eq!(config.pid_file.as_bytes(), b"/var/run/docker.pid");
    assert_eq!(config.exec_root.as_bytes(), b"/var/run/docker");
    assert!(!config.inherits_listener);
}

fn of_json(json: &str) -> Config {
    // As many as there are tests at once.
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = std::format!("daemon-{}-{number}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, json).unwrap();
    let word = std::format!("--config-file={}", path.to_str().unwrap());
    let word = CString::new(word).unwrap();
    let config = read(&command(&[&word]));
    std::fs::remove_file(path).unwrap();
    config
}

#[test]
fn d6_hosts_are_trimmed_as_dockerd_trims_them() {
    for (host, inherits) in [
        (" fd://", true),
        ("\\t\\u000bfd://docker.socket", true),
        ("fd:// ", true),
        ("f d://", false),
        ("", false),
        ("   ", false),
        ("FD://", false),
    ] {
        let config = of_json(&std::format!("{{\"hosts\": [\"{host}\"]}}"));
        assert_eq!(config.inherits_listener, inherits, "{host:?}");
    }
    assert!(!of_json(r#"{"hosts": ["fd://"], "hosts": ["unix:///x"]}"#).inherits_listener);
    let words = [c"-H fd://", c"--config-file=/none"];
    assert!(read(&command(&words)).inherits_listener);
}

#[test]
fn d7_the_last_of_a_key_counts() {
    for (json, root, choices) in [
        (r#"{"data-root": "/a", "data-root": "/b"}"#, "/b", 0),
        (r#"{"data-root": "/a", "data-root": null}"#, "/a", 0),
        (r#"{"data-root": "/\ud83d\udc33"}"#, "/\u{1f433}", 0),
        (r#"{"Data-Root": "/a"}"#, "/var/lib/docker", 0),
        (
            r#"{"userland-proxy": false, "userland-proxy": true}"#,
            "/var/lib/docker",
            0,
        ),
        (
            r#"{"init-path": "/x", "init-path": ""}"#,
            "/var/lib/docker",
            0,
        ),
        // dockerd takes switches of any object as if they stood at the top, and nothing else.
        (
            r#"{"x": {"userland-proxy": false, "data-root": "/a"}}"#,
            "/var/lib/docker",
            NO_PROXY,
        ),
        (
            r#"{"log-opts": {"userland-proxy": false}}"#,
            "/var/lib/docker",
            0,
        ),
        (
            r#"{"features": {"embedded-containerd": true}, "features": {}}"#,
            "/var/lib/docker",
            EMBEDDED_CONTAINERD,
        ),
        ("", "/var/lib/docker", 0),
    ] {
        let config = of_json(json);
        assert_eq!(config.data_root.as_bytes(), root.as_bytes(), "{json}");
        assert_eq!(config.choices, choices, "{json}");
    }
}

#[test]
fn e5_only_a_runtime_type_brings_a_shim() {
    for (runtimes, brings) in [
        (r#"{"nvidia": {"path": "nvidia-container-runtime"}}"#, false),
        (
            r#"{"nvidia": {"runtimeType": "io.containerd.nvidia.v1"}}"#,
            true,
        ),
        (r#"{"nvidia": {"RuntimeType": "/opt/shim"}}"#, true),
        (
            r#"{"nvidia": {"runtimeType": "io.containerd.runc.v2", "options": {}}}"#,
            false,
        ),
        (
            r#"{"other": {"runtimeType": "io.containerd.nvidia.v1"}}"#,
            false,
        ),
        (
            r#"{"nvidia": {"options": {"runtimeType": "io.containerd.nvidia.v1"}}}"#,
            false,
        ),
        ("{}", false),
    ] {
        for json in [
            std::format!("{{\"default-runtime\": \"nvidia\", \"runtimes\": {runtimes}}}"),
            std::format!("{{\"runtimes\": {runtimes}, \"default-runtime\": \"nvidia\"}}"),
        ] {
            let chosen = if brings { OTHER_RUNTIME } else { 0 };
            assert_eq!(of_json(&json).choices, chosen, "{json}");
        }
    }
}
