//! `--check`: what it reports, its exit status, and that it changes nothing.

use crate::{
    check_kernel::{MODULES, with_modules},
    prerequisites::{complete, remove},
    root::Root,
    running::{Ended, Start},
    util::{Before, Needs, program, tests},
};
use serde_json::Value;
use std::{fs, os::unix::process::CommandExt, process::Command};

tests![Needs::Check;
    a_complete_image_has_all,
    a_missing_program_is_reported_with_its_effect,
    exit_statuses,
    the_arguments_of_the_daemon_decide,
    the_daemon_may_be_another,
    settings_are_judged,
    any_user_can_check_and_nothing_changes,
    arguments_that_are_refused,
];

/// A root with everything that Docker needs, a kernel with all modules, and a data root on tmpfs.
pub(crate) fn whole() -> Root {
    let root = complete();
    with_modules(&root, "modules.builtin", MODULES);
    root.directory("/var/lib/docker");
    root
}

pub(crate) fn check<'r>(root: &'r Root, word: &str) -> Start<'r> {
    root.container()
        .before(Before::mount("tmpfs", "/var/lib/docker"))
        .words([word])
}

/// The lines of `--check=json`.
pub(crate) fn objects(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.stderr, "");
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// The object of that name.
pub(crate) fn of<'v>(objects: &'v [Value], name: &str) -> &'v Value {
    let mut named = objects.iter().filter(|object| object["name"] == name);
    let object = named
        .next()
        .unwrap_or_else(|| panic!("no {name}: {objects:?}"));
    assert!(named.next().is_none(), "{name} twice");
    object
}

/// The object of that name in the JSON report.
pub(crate) fn told(start: Start<'_>, name: &str) -> Value {
    of(&objects(&start.ended()), name).clone()
}

/// The same with these arguments of the daemon.
fn told_with(root: &Root, words: &[&str], name: &str) -> Value {
    told(check(root, "--check=json").words(words), name)
}

fn a_complete_image_has_all() {
    let root = whole();
    let ended = check(&root, "--check=json").ended();
    let objects = objects(&ended);
    let lacks = |object: &&Value| object["state"] == "missing" && object["kind"] != "controller";
    assert_eq!(
        objects.iter().filter(lacks).collect::<Vec<_>>(),
        [&Value::Null; 0]
    );
    assert_eq!(ended.status, 0, "{}", ended.stdout);
    for (name, path) in [
        ("dockerd", "/usr/bin/dockerd"),
        ("runc", "/usr/sbin/runc"),
        ("docker-init", "/usr/libexec/docker/docker-init"),
        ("git-submodule", "/usr/lib/git-core/git-submodule"),
        ("ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt"),
    ] {
        let object = of(&objects, name);
        assert_eq!(
            (&object["state"], &object["path"]),
            (&"found".into(), &path.into())
        );
    }
    let human = check(&root, "--check").ended();
    assert_eq!((human.status, human.stderr.as_str()), (0, ""));
    assert!(
        human
            .stdout
            .ends_with("\nNothing that is required is missing.\n"),
        "{}",
        human.stdout
    );
}

fn a_missing_program_is_reported_with_its_effect() {
    let root = whole();
    remove(&root, "iptables");
    remove(&root, "ps");
    let ended = check(&root, "--check").ended();
    assert_eq!(ended.status, 1);
    for lines in [
        "  MISSING     iptables                 is missing: dockerd does not start
                                       engine: failed to create NAT chain DOCKER: iptables not found
                                       install iptables, or use --iptables=false or --firewall-backend=nftables\n",
        "  missing     ps                       is missing: docker top fails
                                       engine: ps: exec: \"ps\": executable file not found in $PATH
                                       install procps\n",
        "\nRequired, but missing or wrong: iptables\n",
    ] {
        assert!(ended.stdout.contains(lines), "{}", ended.stdout);
    }
    let object = told(check(&root, "--check=json"), "iptables");
    for (key, value) in [
        ("kind", "requirement"),
        ("state", "missing"),
        ("fault", "is missing"),
        ("need", "required"),
        ("lost", "dockerd does not start"),
        (
            "error",
            "failed to create NAT chain DOCKER: iptables not found",
        ),
        ("looked_for", "PATH"),
        ("unless", "--iptables=false or --firewall-backend=nftables"),
        ("package", "iptables"),
        ("feature", "iptables"),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
}

fn exit_statuses() {
    for (name, status) in [
        ("ps", 0),
        ("docker-init", 0),
        ("git", 0),
        ("containerd", 1),
        ("runc", 1),
        ("docker-proxy", 1),
    ] {
        let root = whole();
        remove(&root, name);
        for word in ["--check", "--check=json"] {
            assert_eq!(check(&root, word).ended().status, status, "{name}");
        }
        let verdict = told_last(check(&root, "--check=json"));
        let state = if status == 0 { "found" } else { "missing" };
        assert_eq!(verdict["state"], state);
        assert_eq!(verdict["missing"], if status == 0 { "" } else { name });
    }
}

pub(crate) fn told_last(start: Start<'_>) -> Value {
    let last = objects(&start.ended()).pop().unwrap();
    assert_eq!(last["kind"], "verdict");
    last
}

fn the_arguments_of_the_daemon_decide() {
    let root = whole();
    remove(&root, "iptables");
    let object = told_with(&root, &["--iptables=false"], "iptables");
    assert_eq!(
        (&object["state"], &object["because"]),
        (&"not needed".into(), &"--iptables=false".into())
    );
    root.file(
        "/srv/d.json",
        r#"{"iptables": false, "data-root": "/srv/data"}"#,
    );
    let start = check(&root, "--check=json").words(["dockerd", "--config-file", "/srv/d.json"]);
    let ended = start.ended();
    assert_eq!(ended.status, 0, "{}", ended.stdout);
    let objects = objects(&ended);
    assert_eq!(of(&objects, "iptables")["state"], "not needed");
    assert_eq!(of(&objects, "/srv/data")["kind"], "data root");
    let object = told_with(&root, &["--firewall-backend=nftables"], "nft");
    assert_eq!(
        (&object["state"], &object["need"]),
        (&"missing".into(), &"required".into())
    );
    assert_eq!(
        told(check(&root, "--check=json"), "nft")["state"],
        "not needed"
    );
}

fn the_daemon_may_be_another() {
    let root = whole();
    root.stand_in("/opt/appliance");
    let object = told_with(&root, &["/opt/appliance", "-D"], "dockerd");
    assert_eq!(object["path"], "/opt/appliance");
    for words in [&["/opt/none"][..], &["none", "--debug"]] {
        let ended = check(&root, "--check=json").words(words).ended();
        assert_eq!(
            (ended.status, &of(&objects(&ended), "dockerd")["state"]),
            (1, &"missing".into())
        );
        assert_eq!(of(&objects(&ended), "dockerlaunch")["daemon"], words[0]);
    }
    fs::remove_file(root.path("/usr/bin/dockerd")).unwrap();
    assert_eq!(
        told_last(check(&root, "--check=json"))["missing"],
        "dockerd"
    );
}

fn settings_are_judged() {
    let root = whole();
    let start = |name: &str, value: &str| check(&root, "--check=json").variable(name, value);
    let object = told(
        start("DOCKER_LAUNCH_CGROUPS", "v2"),
        "DOCKER_LAUNCH_CGROUPS=v2",
    );
    assert_eq!(
        (&object["need"], &object["nearest"]),
        (&"optional".into(), &"DOCKER_LAUNCH_CGROUP".into())
    );
    let object = told(start("DOCKER_LAUNCH_COLOUR", "1"), "DOCKER_LAUNCH_COLOUR=1");
    assert_eq!(object["nearest"], Value::Null);
    let wrong = start("DOCKER_LAUNCH_CGROUP", "v3")
        .variable("DOCKER_LAUNCH_AS", "x")
        .ended();
    let objects = objects(&wrong);
    let object = of(&objects, "DOCKER_LAUNCH_CGROUP=v3");
    assert_eq!(
        object["reason"],
        "setting DOCKER_LAUNCH_CGROUP=v3: allowed: auto, v2, v1, hybrid"
    );
    let missing = objects.last().unwrap()["missing"].as_str().unwrap();
    let mut names: Vec<_> = missing.split(", ").collect();
    names.sort_unstable();
    assert_eq!(
        (wrong.status, names),
        (1, vec!["DOCKER_LAUNCH_AS", "DOCKER_LAUNCH_CGROUP"])
    );
    // A launch ignores a misspelt setting, too.
    assert_eq!(start("DOCKER_LAUNCH_DEBUGS", "1").ended().status, 0);
    let human = check(&root, "--check")
        .variable("DOCKER_LAUNCH_DEBUGS", "1")
        .ended();
    let lines =
        "\nSettings\n  missing     DOCKER_LAUNCH_DEBUGS=1   no such setting: it would be ignored
                                       the nearest is DOCKER_LAUNCH_DEBUG\n";
    assert!(human.stdout.contains(lines), "{}", human.stdout);
    assert!(
        !check(&root, "--check")
            .variable("DOCKER_LAUNCH_DEBUG", "true")
            .ended()
            .stdout
            .contains("Settings")
    );
}

/// The tree of the test machine.
fn is_loaded(module: &str) -> bool {
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    modules
        .lines()
        .any(|line| line.split(' ').next() == Some(module))
}

/// On the test machine itself, as root and as nobody: it works for any user, whatever is mounted.
fn any_user_can_check_and_nothing_changes() {
    // Without what other tests use at the same time.
    let quiet = |module: &&&str| !["overlay", "bridge"].contains(module);
    let state = || {
        let loaded: Vec<_> = MODULES
            .iter()
            .filter(quiet)
            .map(|name| is_loaded(name))
            .collect();
        (fs::read_to_string("/proc/self/mountinfo").unwrap(), loaded)
    };
    let is_root = nix::unistd::geteuid().is_root();
    // A copy that the user nobody can run. Another process writes it: a test that forks now would keep it open for writing.
    let path = std::env::temp_dir().join(format!("dockerlaunch-{}", std::process::id()));
    assert!(
        Command::new("cp")
            .arg(program())
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    for user in [0, 65_534].into_iter().filter(|user| is_root || *user == 0) {
        let before = state();
        let mut command = Command::new(&path);
        command.arg("--check=json").env_clear();
        if user != 0 {
            command.uid(user).gid(user);
        }
        let output = command.output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)) && output.stderr.is_empty(),
            "{output:?}"
        );
        assert!(output.stdout.ends_with(b"}\n"));
        assert_eq!(state(), before);
    }
    fs::remove_file(path).unwrap();
    // In an image, as PID 1 and not as PID 1, with nothing mounted.
    let root = whole();
    for start in [
        check(&root, "--check=json"),
        check(&root, "--check=json").not_pid_1(),
        root.start().words(["--check=json"]),
    ] {
        let before = root.tree();
        let ended = start.ended();
        assert!(objects(&ended).len() > 40 && [0, 1].contains(&ended.status));
        assert_eq!(root.tree(), before);
    }
}

fn arguments_that_are_refused() {
    let root = whole();
    let refused = |start: Start<'_>| {
        let ended = start.ended();
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
        ended.stderr
    };
    assert_eq!(
        refused(check(&root, "--check=yaml")),
        "dockerlaunch: usage --check=yaml: allowed: --check, --check=json\n"
    );
    let long = format!("--pidfile=/{}", "x".repeat(5000));
    assert_eq!(
        refused(check(&root, "--check").words([long])),
        "dockerlaunch: prepare daemon daemon.json: file name too long (ENAMETOOLONG)\n"
    );
    // The reader has closed its end.
    let start = whole();
    assert_eq!(
        check(&start, "--check")
            .before(Before::Close(1))
            .ended()
            .status,
        1
    );
}
