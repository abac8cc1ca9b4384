//! Kernel modules: one call of the image's modprobe for the modules that the kernel lacks, and what is logged if it fails.

use crate::{
    root::Root,
    running::Start,
    util::{Before, Needs, has_feature, tests},
};

tests![Needs::Modprobe;
    modprobe_is_called_once_for_all_missing_modules,
    loaded_modules_need_no_modprobe,
    a_failure_names_the_modules_still_missing,
    a_missing_modprobe_names_the_missing_modules,
    no_name_is_truncated,
    dashes_and_underscores_are_the_same,
    modules_load_d_names_modules,
    a_container_loads_no_modules,
    f4_a_module_named_repeatedly_counts_once,
    f4_a_modprobe_that_cannot_be_executed_is_logged;
    Needs::Features(&["modprobe", "supervise"]) => a_supervised_machine_loads_in_two_calls
];

/// The modules that the launch looks for, in this order.
pub(crate) const TABLE: &[&str] = &[
    "overlay",
    "bridge",
    "br_netfilter",
    "veth",
    "nf_nat",
    "xt_addrtype",
    "xt_conntrack",
    "xt_MASQUERADE",
];

/// A container with a /sys that shows these modules. br_netfilter shows in /proc.
fn with<'r>(root: &'r Root, present: &[&str]) -> Start<'r> {
    with_modules(root.container(), present)
}

fn with_modules<'r>(start: Start<'r>, present: &[&str]) -> Start<'r> {
    let mut start = start
        .before(Before::mount("tmpfs", "/sys"))
        .before(Before::mount("tmpfs", "/proc/sys/net"));
    for directory in ["/sys/fs", "/sys/fs/cgroup", "/sys/module"] {
        start = start.before(Before::Directory {
            at: directory.into(),
        });
    }
    for module in present {
        start = start.before(Before::Directory {
            at: match *module {
                "br_netfilter" => "/proc/sys/net/bridge".into(),
                module => format!("/sys/module/{module}"),
            },
        });
    }
    start.foreign_cgroups()
}

/// The modules of the table that this build looks for.
fn missing() -> Vec<&'static str> {
    TABLE
        .iter()
        .copied()
        .filter(|name| !name.starts_with("xt_") || has_feature("iptables"))
        .collect()
}

fn with_modprobe(status: &str) -> Root {
    let root = Root::new();
    root.stand_in("/usr/sbin/modprobe")
        .file("/modprobe.status", status);
    root
}

fn warnings(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains(" modprobe "))
        .collect()
}

fn modprobe_is_called_once_for_all_missing_modules() {
    let root = with_modprobe("0");
    let daemon = with(&root, &["overlay", "veth"])
        .variable("DOCKER_LAUNCH_MODULES", "dm-crypt,,zram")
        .running();
    let expected = missing()
        .into_iter()
        .filter(|name| !["overlay", "veth"].contains(name));
    let words: Vec<_> = ["modprobe", "-a", "-q", "--"]
        .into_iter()
        .chain(expected)
        .chain(["dm_crypt", "zram"])
        .collect();
    assert_eq!(
        root.read("/modprobe.words").lines().collect::<Vec<_>>(),
        words
    );
    assert_eq!(warnings(&daemon.log()), [""; 0]);
}

fn loaded_modules_need_no_modprobe() {
    let root = with_modprobe("0");
    let _daemon = with(&root, TABLE).running();
    assert!(!root.path("/modprobe.words").exists());
    // A missing modprobe is not logged either.
    let root = Root::new();
    let log = with(&root, TABLE).running().log();
    assert_eq!(warnings(&log), [""; 0], "{log}");
}

fn a_failure_names_the_modules_still_missing() {
    let root = with_modprobe("1");
    let daemon = with(&root, &["overlay", "zram"])
        .variable("DOCKER_LAUNCH_MODULES", "zram,dm_crypt")
        .running();
    let names: Vec<_> = missing()
        .into_iter()
        .filter(|name| *name != "overlay")
        .chain(["dm_crypt"])
        .collect();
    let line = format!(
        "dockerlaunch: warning: modprobe could not load {} (harmless if built in)",
        names.join(" ")
    );
    assert_eq!(warnings(&daemon.log()), [line]);
    assert!(root.path("/modprobe.words").exists());
}

fn a_missing_modprobe_names_the_missing_modules() {
    let root = Root::new();
    let daemon = with(&root, &["bridge"]).running();
    let names: Vec<_> = missing()
        .into_iter()
        .filter(|name| *name != "bridge")
        .collect();
    let line = format!(
        "dockerlaunch: warning: there is no modprobe in PATH to load {} (harmless if built in)",
        names.join(" ")
    );
    assert_eq!(warnings(&daemon.log()), [line]);
}

/// As many modules as the setting may name.
fn no_name_is_truncated() {
    let root = with_modprobe("1");
    let asked: Vec<String> = (0..40)
        .map(|number| format!("module_{number:02}"))
        .collect();
    let daemon = with(&root, &[])
        .variable("DOCKER_LAUNCH_MODULES", asked.join(","))
        .running();
    let log = daemon.log();
    for name in missing()
        .into_iter()
        .chain(asked.iter().map(String::as_str))
    {
        assert!(log.contains(&format!(" {name} ")), "{name}: {log}");
    }
    assert_eq!(
        root.read("/modprobe.words").lines().count(),
        4 + missing().len() + 40
    );
}

/// modprobe(8): dashes and underscores in names are the same; the kernel shows underscores.
fn dashes_and_underscores_are_the_same() {
    let root = with_modprobe("1");
    let daemon = with(&root, &["dm_crypt"])
        .variable("DOCKER_LAUNCH_MODULES", "dm-crypt")
        .running();
    assert!(!daemon.log().contains("crypt"), "{}", daemon.log());
}

/// modules-load.d(5): a file in /etc hides the file with the same name in /usr/lib.
fn with_files() -> Root {
    let root = with_modprobe("0");
    root.directory("/sys")
        .file(
            "/etc/modules",
            "# a comment\nloop max_loop=8\n\n  dm-crypt\n; another\noverlay\n",
        )
        .file("/etc/modules-load.d/a.conf", "from_etc\n")
        .file("/etc/modules-load.d/README", "no_module\n")
        .file("/usr/lib/modules-load.d/a.conf", "hidden\n")
        .file("/usr/lib/modules-load.d/b.conf", "from_usr")
        .link("/etc/modules-load.d/c.conf", "/dev/null")
        .file("/usr/lib/modules-load.d/c.conf", "masked\n");
    root
}

fn modules_load_d_names_modules() {
    let root = with_files();
    let present = [TABLE, &["dm_crypt"]].concat();
    root.directory("/proc");
    let machine = root.machine().before(Before::mount("proc", "/proc"));
    let start = with_modules(machine, &present);
    let daemon = start.variable("DOCKER_LAUNCH_MODULES", "asked").running();
    let words = root.read("/modprobe.words");
    let words: Vec<_> = words.lines().collect();
    let expected = ["asked", "loop", "from_etc", "from_usr"];
    assert_eq!(
        words,
        [&["modprobe", "-a", "-q", "--"][..], &expected].concat()
    );
    assert_eq!(warnings(&daemon.log()), [""; 0]);
}

fn a_container_loads_no_modules() {
    let root = with_files();
    let _daemon = with(&root, TABLE).running();
    assert!(!root.path("/modprobe.words").exists());
}

fn f4_a_module_named_repeatedly_counts_once() {
    let root = with_modprobe("0");
    root.file("/etc/modules", &"dm_thin\ndm-thin # again\n".repeat(60));
    root.directory("/sys").directory("/proc");
    let machine = root.machine().before(Before::mount("proc", "/proc"));
    let daemon = with_modules(machine, TABLE)
        .variable("DOCKER_LAUNCH_MODULES", "dm-thin,dm_thin,loop9,dm-thin")
        .running();
    let words = root.read("/modprobe.words");
    for name in ["dm_thin", "loop9"] {
        let times = words.lines().filter(|word| *word == name).count();
        assert_eq!(times, 1, "{name}: {}", daemon.log());
    }
}

/// The named modules, overlay and button are loaded before the next steps, the others beside them.
fn a_supervised_machine_loads_in_two_calls() {
    let root = with_modprobe("0");
    root.directory("/sys").directory("/proc");
    let machine = root.machine().before(Before::mount("proc", "/proc"));
    let daemon = with_modules(machine, &[])
        .variable("DOCKER_LAUNCH_REAP", "true")
        .variable("DOCKER_LAUNCH_DEBUG", "true")
        .variable("DOCKER_LAUNCH_MODULES", "virtio_net")
        .started();
    daemon.until_said("] exec /");
    let log = daemon.log();
    assert_eq!(log.matches("] ran modprobe\n").count(), 2, "{log}");
    let words = root.read("/modprobe.words");
    let beside: Vec<_> = words.lines().skip(4).collect();
    let mut others = missing();
    others.retain(|name| *name != "overlay");
    assert_eq!(beside, others);
}

/// modprobe logs nothing itself, and the engine starts anyway.
fn f4_a_modprobe_that_cannot_be_executed_is_logged() {
    for (contents, mode, reason) in [
        ("rubbish", 0o755, "exec format error (ENOEXEC)"),
        (
            "#!/nowhere\n",
            0o755,
            "its interpreter or loader is missing from the image (ENOENT)",
        ),
        ("#!/etc\n", 0o755, "permission denied (EACCES)"),
    ] {
        let root = Root::new();
        root.file("/usr/sbin/modprobe", contents)
            .mode("/usr/sbin/modprobe", mode);
        let log = root.machine().running().log();
        let line = format!("dockerlaunch: warning: exec modprobe: {reason}");
        assert!(
            log.contains(&line) && log.contains("modules are not loaded:"),
            "{log}"
        );
    }
    // A modprobe that exists but is not a program is not missing.
    let root = Root::new();
    root.file("/usr/sbin/modprobe", "");
    let log = root.machine().running().log();
    assert!(
        log.contains("dockerlaunch: warning: exec modprobe: permission denied (EACCES)"),
        "{log}"
    );
}
