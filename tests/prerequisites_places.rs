//! Where programs and certificates are looked for, and what counts as found.

use crate::{
    prerequisites::{assert_ends, assert_starts, complete, remove},
    root::CERTIFICATES,
    running::Start,
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Root;
    programs_are_found_where_docker_finds_them,
    a_shim_beside_the_real_containerd_is_found,
    what_cannot_be_executed_does_not_count,
    certificates_are_read,
    certificates_are_found_where_go_finds_them,
    apparmor_parser_is_needed_if_apparmor_is_enabled,
];

fn programs_are_found_where_docker_finds_them() {
    for (name, places) in [
        (
            "docker-proxy",
            &[
                "/usr/local/libexec/docker",
                "/usr/local/lib/docker",
                "/usr/libexec/docker",
                "/usr/lib/docker",
                "/usr/local/sbin",
                "/usr/local/bin",
                "/sbin/",
                "/bin/",
            ][..],
        ),
        (
            "docker-init",
            &["/usr/libexec/docker", "/usr/lib/docker", "/usr/bin"],
        ),
        (
            "git-submodule",
            &["/usr/lib/git-core", "/usr/libexec/git-core"],
        ),
        ("runc", &["/usr/local/bin"]),
    ] {
        for place in places {
            let root = complete();
            remove(&root, name);
            // /sbin must exist before the launch makes its link.
            let file = format!("{}/{name}", place.trim_end_matches('/'));
            root.file(&file, "").mode(&file, 0o755);
            if place.ends_with('/') {
                root.directory("/bin").directory("/sbin");
                root.file("/sbin/apparmor_parser", "")
                    .mode("/sbin/apparmor_parser", 0o755);
            }
            assert_starts(root.container(), &[]);
        }
    }
    // PATH is the daemon's own; a directory may be in it twice, or be missing.
    let root = complete();
    remove(&root, "runc");
    root.file("/opt/runc", "").mode("/opt/runc", 0o755);
    assert_ends(root.container(), "runc");
    let path = "/none:/usr/bin:/usr/bin:/usr/sbin::/opt";
    assert_starts(root.container().variable("PATH", path), &[]);
    let path = [&["/usr/bin:/usr/sbin"][..], &["/usr/bin"; 40], &["/opt"]]
        .concat()
        .join(":");
    assert_starts(root.container().variable("PATH", path), &[]);
}

fn a_shim_beside_the_real_containerd_is_found() {
    let root = complete();
    remove(&root, "containerd");
    remove(&root, "containerd-shim-runc-v2");
    root.file("/opt/c/containerd", "")
        .mode("/opt/c/containerd", 0o755);
    root.link("/usr/bin/containerd", "../../opt/c/containerd");
    assert_ends(root.container(), "containerd-shim-runc-v2");
    let shim = "/opt/c/containerd-shim-runc-v2";
    root.file(shim, "").mode(shim, 0o755);
    assert_starts(root.container(), &[]);
}

fn what_cannot_be_executed_does_not_count() {
    let line = "warning: ps cannot be executed: docker top fails; install procps";
    let root = complete();
    root.mode("/usr/bin/ps", 0o644);
    assert_starts(root.container(), &[line]);
    remove(&root, "ps");
    root.directory("/usr/bin/ps");
    assert_starts(root.container(), &[line]);
    fs::remove_dir(root.path("/usr/bin/ps")).unwrap();
    root.link("/usr/bin/ps", "nowhere");
    assert_starts(
        root.container(),
        &["warning: ps is missing: docker top fails; install procps"],
    );
    remove(&root, "ps");
    root.link("/usr/bin/ps", "git");
    assert_starts(root.container(), &[]);
}

fn certificates_are_read() {
    const LOST: &str = "no image is pulled from a registry with TLS, docker.io among them; install ca-certificates";
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let root = complete();
    for (contents, fault) in [
        (String::new(), Some("is empty")),
        ("\n".into(), Some("does not begin with a certificate")),
        (
            "certificates".into(),
            Some("does not begin with a certificate"),
        ),
        (
            "-----BEGIN PUBLIC KEY-----\n".into(),
            Some("does not begin with a certificate"),
        ),
        (
            format!("x{BEGIN}\n"),
            Some("does not begin with a certificate"),
        ),
        (
            "#\n".repeat(4000) + BEGIN,
            Some("does not begin with a certificate"),
        ),
        (format!("{BEGIN}\nMII"), None),
        (format!("{BEGIN}\r\nMII"), None),
        (format!("# A root\n\n{BEGIN}\n"), None),
    ] {
        root.file(CERTIFICATES, &contents);
        let line = fault.map(|fault| format!("warning: ca-certificates.crt {fault}: {LOST}"));
        let lines: Vec<_> = line.iter().map(String::as_str).collect();
        assert_starts(root.container(), &lines);
    }
    // The check follows links, and a directory does not count.
    fs::rename(root.path(CERTIFICATES), root.path("/roots.pem")).unwrap();
    root.link(CERTIFICATES, "/roots.pem");
    assert_starts(root.container(), &[]);
    fs::remove_file(root.path(CERTIFICATES)).unwrap();
    root.directory(CERTIFICATES);
    assert_starts(
        root.container(),
        &[&format!(
            "warning: ca-certificates.crt is a directory: {LOST}"
        )],
    );
}

fn certificates_are_found_where_go_finds_them() {
    for place in [
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
        "/mine.pem",
    ] {
        let root = complete();
        root.directory(place.rsplit_once('/').unwrap().0);
        fs::rename(root.path(CERTIFICATES), root.path(place)).unwrap();
        let start = root.container();
        if place == "/mine.pem" {
            assert_starts(start.variable("SSL_CERT_FILE", place), &[]);
        } else {
            assert_starts(start, &[]);
        }
    }
}

/// The kernel shows this file with these contents, or does not show it.
fn with_kernel_file<'r>(start: Start<'r>, path: &str, contents: Option<&str>) -> Start<'r> {
    let (directory, _) = path.rsplit_once('/').unwrap();
    let parts: Vec<_> = directory.split('/').skip(1).collect();
    // The first directory below /sys is replaced.
    let mut at = format!("/{}/{}", parts[0], parts[1]);
    let mut start = start.before(Before::mount("tmpfs", &at));
    for part in &parts[2..] {
        at = format!("{at}/{part}");
        start = start.before(Before::Directory { at: at.clone() });
    }
    match contents {
        None => start,
        Some(contents) => start.before(Before::File {
            at: path.into(),
            contents: contents.into(),
        }),
    }
}

fn apparmor_parser_is_needed_if_apparmor_is_enabled() {
    const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
    let line = "warning: apparmor_parser is missing: containers run without an AppArmor profile, which nothing else reports; install apparmor";
    let root = complete();
    assert_starts(
        with_kernel_file(root.container(), ENABLED, Some("Y\n")),
        &[],
    );
    remove(&root, "apparmor_parser");
    assert_starts(
        with_kernel_file(root.container(), ENABLED, Some("Y\n")),
        &[line],
    );
    assert_starts(
        with_kernel_file(root.container(), ENABLED, Some("N\n")),
        &[],
    );
    assert_starts(with_kernel_file(root.container(), ENABLED, None), &[]);
}
