//! An errno is never taken for an absence: only ENOENT and ENOTDIR mean that nothing is there. Any other is logged with its
//! path, and the launch then never decides as if nothing were there.

use crate::{
    faults::Fault,
    root::Root,
    util::{Before, Needs, has_feature, tests},
};
use nix::libc::{
    EACCES, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EDQUOT, EFBIG, EHOSTUNREACH, EINTR, EIO, ELOOP,
    EMFILE, ENETDOWN, ENFILE, ENOBUFS, ENOENT, ENOMEM, ENOSYS, ENOTDIR, ENOTEMPTY, EPERM, EPROTO,
    ESTALE, ETXTBSY, SYS_mount, SYS_openat2, SYS_prlimit64, SYS_symlinkat,
};

tests![Needs::Root;
    d8_an_unreadable_machine_id_is_not_replaced,
    d8_each_errno_is_logged_with_its_path,
    d8_missing_files_are_not_logged,
    d8_a_pid_file_stays_if_its_process_cannot_be_examined,
    d8_a_refused_limit_is_logged,
    d8_a_refused_v1_hierarchy_is_logged,
    d8_proc_is_not_mounted_over_an_unreadable_proc_self,
    f3_a_failed_lookup_is_not_a_missing_program,
    f3_an_interrupted_call_is_repeated,
    f4_a_kernel_without_openat2_is_reported,
    f4_a_failed_link_in_dev_is_logged_with_its_path,
    f4_errnos_are_logged_by_name,
];

const ID: &str = "/etc/machine-id";

fn d8_an_unreadable_machine_id_is_not_replaced() {
    for errno in [EIO, EACCES, ESTALE, ENOMEM] {
        let root = Root::new();
        root.file(ID, "0123456789abcdef0123456789abcdef\n");
        let daemon = root
            .machine()
            .fault(Fault::at("machine-id", errno))
            .started();
        daemon.until_said(ID);
        assert_eq!(root.read(ID), "0123456789abcdef0123456789abcdef\n");
    }
}

/// The path as PID 1 passes it to the kernel, and the subject of the line.
fn d8_each_errno_is_logged_with_its_path() {
    let rows: &[(&str, &str, &str)] = &[
        ("", "/etc/docker", "layout /etc/docker"),
        ("", "key.json", "layout key.json"),
        ("", "/etc/group", "prepare daemon /etc/group"),
        (
            "",
            "/proc/self/oom_score_adj",
            "prepare daemon /proc/self/oom_score_adj",
        ),
        ("network", "/proc/cmdline", "network /proc/cmdline"),
        ("network", "/etc/hostname", "network /etc/hostname"),
        ("network", "/proc/net/pnp", "network /proc/net/pnp"),
        ("modprobe", "/etc/modules", "modules /etc/modules"),
        (
            "modprobe",
            "/etc/modules-load.d",
            "modules /etc/modules-load.d",
        ),
        ("modprobe", "/sys/module/veth", "modules /sys/module/veth"),
        (
            "iptables",
            "/proc/net/ip_tables_names",
            "prerequisites /proc/net/ip_tables_names",
        ),
    ];
    let root = Root::new();
    root.file("/etc/docker/key.json", "{}")
        .file("/etc/modules-load.d/x.conf", "")
        .file("/etc/modules", "")
        .file("/etc/hostname", "box\n");
    for (errno, reason) in [
        (EIO, "input/output error (EIO)"),
        (ELOOP, "too many levels of symbolic links (ELOOP)"),
        (EMFILE, "too many open files (EMFILE)"),
    ] {
        let rows = rows
            .iter()
            .filter(|(feature, ..)| feature.is_empty() || has_feature(feature));
        let mut start = root.machine().words(["dockerd", "-H", "fd://"]);
        let mut expected = Vec::new();
        for (_, path, words) in rows {
            start = start.fault(Fault::at(path, errno));
            // The launch looks for nothing below a directory that it cannot open.
            if *path != "key.json" {
                expected.push(format!("dockerlaunch: warning: {words}: {reason}"));
            }
        }
        let log = start.running().log();
        for line in expected {
            assert!(
                log.lines().any(|told| told.starts_with(&line)),
                "{line}: {log}"
            );
        }
        let start = root.machine().fault(Fault::at("key.json", errno));
        let line = format!("dockerlaunch: warning: layout /etc/docker/key.json: {reason}\n");
        let log = start.running().log();
        assert!(log.contains(&line), "{log}");
        // On a read-only root the launch checks of each directory whether it is writable.
        let start = root
            .machine()
            .before(Before::ReadOnly { at: "/".into() })
            .fault(Fault::at("/root", errno))
            .fault(Fault::at("/tmp", errno));
        let daemon = start.started();
        for place in ["/root", "/tmp"] {
            daemon.until_said(&format!("dockerlaunch: warning: root {place}: {reason}"));
        }
    }
}

fn d8_missing_files_are_not_logged() {
    let paths = [
        "/etc/docker",
        "/etc/modules",
        "/etc/modules-load.d",
        "/etc/hostname",
        "/proc/net/pnp",
        "/etc/group",
        "/usr/etc",
    ];
    let root = Root::new();
    for errno in [ENOENT, ENOTDIR] {
        let mut start = root.machine().words(["dockerd", "-H", "fd://"]);
        for path in paths {
            start = start.fault(Fault::at(path, errno));
        }
        let log = start.running().log();
        assert!(log.lines().all(|line| line.contains(" modprobe ")), "{log}");
    }
}

fn d8_a_pid_file_stays_if_its_process_cannot_be_examined() {
    for (path, errno) in [
        ("/proc/2/comm", EIO),
        ("/proc/2/comm", EACCES),
        ("/proc/2/root", EACCES),
        ("/proc/2/root", ENFILE),
    ] {
        let root = Root::new();
        root.loader().file("/run/docker.pid", "2");
        let daemon = root
            .machine()
            .before(Before::bind(root.path("/run"), "/run"))
            .before(Before::Sleeper {
                program: "/usr/bin/dockerd".into(),
            })
            .fault(Fault::at(path, errno))
            .running();
        assert_eq!(root.read("/run/docker.pid"), "2", "{}", daemon.log());
        let line = "dockerlaunch: warning: prepare daemon /var/run/docker.pid: ";
        assert!(daemon.log().contains(line), "{}", daemon.log());
    }
}

fn d8_a_refused_limit_is_logged() {
    let root = Root::new();
    let start = root.machine().before(Before::Limit { soft: 64, hard: 64 });
    // The launch reads the limit first.
    let fault = Fault {
        after: 1,
        times: 1,
        ..Fault::of(SYS_prlimit64, EIO)
    };
    let log = start.fault(fault).running().log();
    let line = "dockerlaunch: warning: prepare daemon RLIMIT_NOFILE: input/output error (EIO)\n";
    assert!(log.contains(line), "{log}");
}

fn d8_a_refused_v1_hierarchy_is_logged() {
    let root = Root::new();
    let fault = Fault {
        path: Some("cgroup".into()),
        after: 1, // the tmpfs for all places
        ..Fault::of(SYS_mount, EPERM)
    };
    let start = root.machine().variable("DOCKER_LAUNCH_CGROUP", "v1");
    let log = start.fault(fault).running().log();
    let line = "dockerlaunch: warning: the kernel refuses the cgroup v1 hierarchy name=systemd,";
    assert!(log.contains(line), "{log}");
}

/// The launch reports that error and mounts nothing over it.
fn d8_proc_is_not_mounted_over_an_unreadable_proc_self() {
    let root = Root::new();
    let ended = root.machine().fault(Fault::at("/proc/self", EIO)).ended();
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (125, "dockerlaunch: mount /proc: input/output error (EIO)\n")
    );
}

fn f3_a_failed_lookup_is_not_a_missing_program() {
    for (errno, reason) in [
        (EIO, "input/output error (EIO)"),
        (ENOMEM, "cannot allocate memory (ENOMEM)"),
        (ESTALE, "stale file handle (ESTALE)"),
    ] {
        let root = Root::new();
        let start = root
            .container()
            .fault(Fault::at("/usr/bin/ps", errno))
            .fault(Fault::at("/etc/ssl/certs/ca-certificates.crt", errno))
            .fault(Fault::at("/usr/bin/containerd", errno));
        let ended = start.ended();
        for name in ["ps", "ca-certificates.crt"] {
            let line = format!("dockerlaunch: warning: {name} cannot be looked up: {reason}: ");
            let told = ended.stderr.lines().find(|told| told.starts_with(&line));
            assert!(
                told.is_some_and(|told| !told.contains("install")),
                "{}",
                ended.stderr
            );
        }
        let line = format!("dockerlaunch: containerd cannot be looked up: {reason}: ");
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        assert_eq!(ended.status, 125);
    }
}

fn f3_an_interrupted_call_is_repeated() {
    let root = Root::new();
    root.file("/etc/docker/daemon.json", "{}")
        .file("/etc/hostname", "box\n");
    let mut start = root.machine().words(["dockerd", "-H", "fd://"]);
    for path in [
        "/usr/bin/containerd",
        "/usr/bin/dockerd",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/docker/daemon.json",
        "/etc/docker",
        "/etc/hostname",
        "/etc/group",
        "machine-id",
    ] {
        start = start.fault(Fault {
            times: 2,
            ..Fault::at(path, EINTR)
        });
    }
    let log = start.running().log();
    assert!(log.lines().all(|line| line.contains(" modprobe ")), "{log}");
}

fn f4_a_kernel_without_openat2_is_reported() {
    let root = Root::new();
    let ended = root.machine().fault(Fault::of(SYS_openat2, ENOSYS)).ended();
    let reason = "function not implemented (ENOSYS); use Linux 5.10 or newer; in a container, a seccomp profile may forbid it: run with --privileged\n";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    let ended = root.machine().fault(Fault::of(SYS_openat2, EAGAIN)).ended();
    assert!(
        ended
            .stderr
            .contains("resource temporarily unavailable (EAGAIN)\n"),
        "{}",
        ended.stderr
    );
}

/// A directory in which nothing can be created.
fn f4_a_failed_link_in_dev_is_logged_with_its_path() {
    let root = Root::new();
    let ended = root.machine().fault(Fault::of(SYS_symlinkat, EIO)).ended();
    let line = "dockerlaunch: mount /dev/fd: input/output error (EIO)\n";
    assert!(
        ended.status == 125 && ended.stderr.ends_with(line),
        "{}",
        ended.stderr
    );
}

/// Every errno that the kernel has for programs is logged by its name, or by its number.
fn f4_errnos_are_logged_by_name() {
    for (errno, name) in [
        (EAGAIN, "EAGAIN"),
        (EINTR, "EINTR"),
        (EMFILE, "EMFILE"),
        (ENFILE, "ENFILE"),
        (ENETDOWN, "ENETDOWN"),
        (EHOSTUNREACH, "EHOSTUNREACH"),
        (EADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (ECONNREFUSED, "ECONNREFUSED"),
        (EPROTO, "EPROTO"),
        (EFBIG, "EFBIG"),
        (ESTALE, "ESTALE"),
        (EDQUOT, "EDQUOT"),
        (ETXTBSY, "ETXTBSY"),
        (ENOTEMPTY, "ENOTEMPTY"),
        (ENOBUFS, "ENOBUFS"),
    ] {
        let root = Root::new();
        let ended = root
            .machine()
            .fault(Fault::of(SYS_symlinkat, errno))
            .ended();
        assert!(
            ended.stderr.ends_with(&format!(" ({name})\n")),
            "{}",
            ended.stderr
        );
    }
}
