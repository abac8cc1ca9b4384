//! How many system calls a launch takes, from its own exec to the daemon's: each one costs time at every boot.

use crate::{
    modules::TABLE,
    root::Root,
    running::Start,
    util::{Before, Needs, tests},
};

tests![Needs::Root;
    strace_machine,
    strace_container,
];

/// All modules of the table, as if they were loaded.
fn with_modules(start: Start<'_>) -> Start<'_> {
    let mut start = start
        .before(Before::mount("tmpfs", "/sys/module"))
        .before(Before::mount("tmpfs", "/proc/sys/net"));
    for module in TABLE {
        let at = match *module {
            "br_netfilter" => "/proc/sys/net/bridge".into(),
            module => format!("/sys/module/{module}"),
        };
        start = start.before(Before::Directory { at });
    }
    start
}

fn machine(root: &Root) -> Start<'_> {
    root.directory("/proc").directory("/sys");
    let start = root
        .machine()
        .before(Before::mount("proc", "/proc"))
        .before(Before::mount("sysfs", "/sys"));
    with_modules(start)
}

fn strace_machine() {
    let root = Root::new();
    drop(machine(&root).running());
}

fn strace_container() {
    let root = Root::new();
    drop(with_modules(root.container()).running());
}
