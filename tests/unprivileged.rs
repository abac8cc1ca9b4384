//! Without rights outside: in a user namespace, as rootless engines make it.

use crate::{
    root::Root,
    running::Start,
    util::{Before, Needs, SYS_ADMIN, has_feature, tests},
};

tests![Needs::UserNamespaces;
    a_container_is_prepared,
    an_empty_root_is_refused,
    neither_is_refused,
    a_refused_mount_names_the_user_namespace,
    check_reports_and_changes_nothing,
];

/// devpts needs the group of terminals, which a namespace of one user lacks.
pub(crate) fn with_terminals(root: &Root) -> Start<'_> {
    let directory = Before::Directory {
        at: "/dev/pts".into(),
    };
    root.container()
        .before(directory)
        .before(Before::mount("devpts", "/dev/pts"))
        .unprivileged()
}

fn a_container_is_prepared() {
    let root = Root::new();
    let daemon = with_terminals(&root).words(["--debug"]).running();
    assert_eq!(daemon.words(), ["dockerd", "--debug"]);
    for (at, kind) in [
        ("/run", "tmpfs"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
        ("/dev/pts", "devpts"),
    ] {
        assert_eq!(daemon.mount_at(at).kind, kind);
    }
    assert_eq!(
        daemon.mount_at("/").propagation.split(':').next(),
        Some("shared")
    );
    assert!(root.read("/etc/nsswitch.conf").contains("files dns"));
    assert_eq!(daemon.descriptors().len(), 3);
}

fn an_empty_root_is_refused() {
    let root = Root::new();
    root.directory("/proc");
    let before = root.tree();
    let ended = root.machine().unprivileged().ended();
    let line =
        "dockerlaunch: mount /proc: operation not permitted (EPERM); run with --privileged\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (125, line));
    assert_eq!(root.tree(), before);
}

/// The group of terminals is not in the namespace: only --privileged on the machine itself helps.
fn a_refused_mount_names_the_user_namespace() {
    let root = Root::new();
    let ended = root.container().unprivileged().ended();
    let line = "dockerlaunch: mount /dev/pts: invalid argument (EINVAL)\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (125, line));
    let start = with_terminals(&root).before(Before::DropCapability(SYS_ADMIN));
    let ended = start.unprivileged().ended();
    let line = "operation not permitted (EPERM); this is a user namespace: run with --privileged --userns=host, by an engine that is not rootless\n";
    assert_eq!(ended.status, 125);
    assert!(ended.stderr.ends_with(line), "{}", ended.stderr);
    // If something else is wrong, the message says so.
    root.file("/usr/bin/plain", "");
    let ended = with_terminals(&root).words(["plain"]).ended();
    let line =
        "dockerlaunch: daemon plain: permission denied (EACCES); make it an executable file\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (126, line));
}

fn neither_is_refused() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.start().unprivileged().not_pid_1().ended();
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.starts_with(
            "dockerlaunch: role PID 2: it is not PID 1, and nothing marks a container"
        ),
        "{}",
        ended.stderr
    );
    assert_eq!(root.tree(), before);
}

fn check_reports_and_changes_nothing() {
    let root = Root::new();
    let before = root.tree();
    let ended = root.start().words(["--check"]).unprivileged().ended();
    if has_feature("check") {
        assert!([0, 1].contains(&ended.status) && ended.stderr.is_empty());
        assert!(
            ended.stdout.contains("/usr/sbin/runc\n")
                && ended.stdout.contains("missing     the machine's root "),
            "{}",
            ended.stdout
        );
    } else {
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    }
    assert_eq!(root.tree(), before);
}
