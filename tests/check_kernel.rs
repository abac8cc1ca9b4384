//! What `--check` reports about the kernel, its modules and controllers, and the file system below the data root.

use crate::{
    check::{check, objects, of, told, told_last, whole},
    prerequisites::complete,
    root::Root,
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Check;
    a_module_is_found_in_every_state,
    missing_kernel_features_are_reported,
    without_module_lists_some_modules_are_unknown,
    controllers_are_read_from_the_hierarchy,
    the_data_root_is_checked,
];

/// All modules in the table of kernel requirements.
pub(crate) const MODULES: &[&str] = &[
    "overlay",
    "bridge",
    "veth",
    "br_netfilter",
    "nf_tables",
    "ip_tables",
    "nf_conntrack",
    "nf_nat",
    "xt_addrtype",
    "xt_conntrack",
    "xt_MASQUERADE",
];

/// A kernel that has them built in, according to its lists.
pub(crate) fn with_modules(root: &Root, list: &str, modules: &[&str]) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let folder = format!("/lib/modules/{}", release.trim());
    for name in ["modules.builtin", "modules.dep"] {
        let colon = if name == "modules.dep" { ":" } else { "" };
        let line =
            |module: &&str| format!("kernel/net/{}.ko.xz{colon}\n", module.replace('_', "-"));
        let lines: String = modules.iter().filter(|_| name == list).map(line).collect();
        root.file(&format!("{folder}/{name}"), &lines);
    }
}

fn a_module_is_found_in_every_state() {
    let root = whole();
    let how = |root: &Root| told(check(root, "--check=json"), "veth");
    let object = how(&root);
    assert_eq!(
        (&object["state"], &object["how"]),
        (&"found".into(), &"built in".into())
    );
    with_modules(&root, "modules.dep", MODULES);
    let object = how(&root);
    assert_eq!(
        (&object["state"], &object["how"]),
        (&"found".into(), &"a module, not loaded yet".into())
    );
}

fn missing_kernel_features_are_reported() {
    let root = whole();
    with_modules(&root, "modules.builtin", &["ip_tables"]);
    let ended = check(&root, "--check=json").ended();
    let objects = objects(&ended);
    for (name, need, error) in [
        (
            "veth",
            "required",
            "failed to add the host <=> sandbox pair interfaces: operation not supported",
        ),
        (
            "xt_addrtype",
            "required",
            "Extension addrtype revision 0 not supported, missing kernel module?",
        ),
    ] {
        let object = of(&objects, name);
        assert_eq!(
            (&object["state"], &object["need"], &object["error"]),
            (&"missing".into(), &need.into(), &error.into())
        );
    }
    assert_eq!(ended.status, 1);
    // One of the two ways to make rules is enough.
    assert_eq!(of(&objects, "ip_tables")["state"], "found");
    assert_eq!(of(&objects, "nf_tables")["state"], "not needed");
    let start = check(&root, "--check=json").words(["--iptables=false"]);
    assert_eq!(told(start, "xt_addrtype")["state"], "not needed");
}

fn without_module_lists_some_modules_are_unknown() {
    let root = complete();
    root.directory("/var/lib/docker");
    let object = told(check(&root, "--check=json"), "veth");
    assert_eq!(object["state"], "unknown");
    // Without these lists nobody can know that a module is missing.
    let missing = told_last(check(&root, "--check=json"));
    assert!(
        !missing["missing"].as_str().unwrap().contains("veth"),
        "{missing}"
    );
}

fn controllers_are_read_from_the_hierarchy() {
    let root = whole();
    let objects = objects(&check(&root, "--check=json").ended());
    assert_eq!(of(&objects, "cgroups")["how"], "v2 is mounted");
    assert_eq!(of(&objects, "devices")["how"], "by BPF, in v2");
    // The root of the tests' hierarchy is the machine's root cgroup.
    let own = root.container().words(["dockerd"]).running();
    let offered = own.read("/sys/fs/cgroup/cgroup.controllers");
    for name in ["cpu", "cpuset", "io", "memory", "pids"] {
        let state = if offered.split_whitespace().any(|one| one == name) {
            "found"
        } else {
            "missing"
        };
        assert_eq!(of(&objects, name)["state"], state, "{name} of {offered}");
    }
}

fn the_data_root_is_checked() {
    let root = whole();
    root.directory("/srv/tmpfs");
    let at = |words: &[&str]| {
        check(&root, "--check=json")
            .before(Before::mount("tmpfs", "/srv/tmpfs"))
            .words(words)
    };
    let object = told(at(&[]), "/var/lib/docker");
    assert_eq!(
        (&object["state"], &object["how"]),
        (&"found".into(), &"tmpfs, with d_type".into())
    );
    // The data root may be missing.
    let deep = "/srv/tmpfs/a/b";
    for words in [
        &["--data-root", deep][..],
        &["-g", deep],
        &["dockerd", "--graph=/srv/tmpfs/a/b"],
    ] {
        assert_eq!(told(at(words), deep)["how"], "tmpfs, with d_type");
    }
    // overlay does not work on overlay.
    for folder in ["/lower", "/merged"] {
        root.directory(folder);
    }
    let overlay = Before::Mount {
        kind: "overlay".into(),
        at: "/merged".into(),
        data: format!(
            "lowerdir={},upperdir={},workdir={}",
            root.path("/lower").display(),
            root.path("/srv/tmpfs/upper").display(),
            root.path("/srv/tmpfs/work").display()
        ),
    };
    let ended = check(&root, "--check=json")
        .before(Before::mount("tmpfs", "/srv/tmpfs"))
        .before(Before::Directory {
            at: "/srv/tmpfs/upper".into(),
        })
        .before(Before::Directory {
            at: "/srv/tmpfs/work".into(),
        })
        .before(overlay)
        .words(["--data-root=/merged/docker"])
        .ended();
    let objects = objects(&ended);
    let object = of(&objects, "/merged/docker");
    assert_eq!(
        (&object["state"], &object["how"]),
        (&"missing".into(), &"overlay".into())
    );
    assert_eq!(ended.status, 1);
}
