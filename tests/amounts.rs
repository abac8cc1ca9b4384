//! Only the kernel limits arguments and variables: all of them reach the daemon and the programs of the image.

use crate::{
    engine::{self, events},
    root::Root,
    running::Start,
    util::{Needs, tests},
};

tests![Needs::Root;
    c7_the_variables_of_375_services_reach_the_daemon,
    c7_as_many_arguments_as_the_kernel_allows,
    c7_the_library_passes_on_any_number;
    Needs::Supervise => c7_a_supervised_daemon_and_its_ready_program_get_them;
    Needs::Modprobe => c7_modprobe_gets_the_variables;
    Needs::Features(&["check"]) => c7_check_takes_any_number,
];

/// What Kubernetes sets for each service of the namespace (enableServiceLinks).
fn with_services(mut start: Start<'_>, services: usize) -> Start<'_> {
    for number in 0..services {
        let name = format!("SERVICE_{number}");
        for (suffix, value) in [
            ("SERVICE_HOST", "10.96.0.1"),
            ("SERVICE_PORT", "80"),
            ("PORT", "tcp://10.96.0.1:80"),
            ("PORT_80_TCP", "tcp://10.96.0.1:80"),
            ("PORT_80_TCP_PROTO", "tcp"),
            ("PORT_80_TCP_PORT", "80"),
            ("PORT_80_TCP_ADDR", "10.96.0.1"),
        ] {
            start = start.variable(format!("{name}_{suffix}"), value);
        }
    }
    start
}

fn c7_the_variables_of_375_services_reach_the_daemon() {
    let root = Root::new();
    let start = with_services(root.container(), 375).variable("DOCKER_LAUNCH_DEBUG", "true");
    let daemon = start.words(["-H", "fd://"]).running();
    let variables = daemon.environment();
    // The four others are HOME, PATH, LISTEN_FDS and LISTEN_PID.
    assert_eq!(variables.len(), 375 * 7 + 4);
    for variable in ["SERVICE_374_PORT_80_TCP_ADDR=10.96.0.1", "LISTEN_FDS=1"] {
        assert!(variables.iter().any(|one| one == variable), "{variable}");
    }
    assert!(!variables.iter().any(|one| one.starts_with("DOCKER_LAUNCH")));
}

fn c7_a_supervised_daemon_and_its_ready_program_get_them() {
    let root = engine::root();
    // The stand-in writes a file beside itself, because its name is the whole path.
    const VARIABLES: &str = "/usr/bin/ready/modprobe.variables";
    root.file(VARIABLES, "").stand_in("/usr/bin/ready/modprobe");
    let start = with_services(root.machine(), 375)
        .variable("DOCKER_LAUNCH_REAP", "auto")
        .variable("DOCKER_LAUNCH_READY", "/usr/bin/ready/modprobe")
        .words(["engine", "notify:READY=1", "wait"]);
    let daemon = start.running();
    daemon.until("run", |_| root.read(VARIABLES).parse() == Ok(375 * 7 + 2));
    let child = daemon.children()[0];
    let environment = std::fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
    // The three others are HOME, PATH and NOTIFY_SOCKET.
    assert_eq!(environment.split_terminator('\0').count(), 375 * 7 + 3);
    assert!(!events(&root).is_empty());
}

fn c7_as_many_arguments_as_the_kernel_allows() {
    let root = Root::new();
    let words: Vec<String> = (0..30_000).map(|number| format!("-{number}")).collect();
    let daemon = root.machine().words(&words).running();
    assert_eq!(daemon.words()[0], "dockerd");
    assert_eq!(daemon.words()[1..], words);
    // The longest argument that the kernel allows (MAX_ARG_STRLEN is 131,072 with its NUL), among flags that count.
    let long = format!("--label={}", "x".repeat(131_071 - 8));
    let daemon = root.machine().words([&long, "-H", "fd://"]).running();
    assert_eq!(daemon.words()[1..], [&long, "-H", "fd://"]);
    assert_eq!(daemon.descriptors().len(), 4);
}

fn c7_modprobe_gets_the_variables() {
    let root = Root::new();
    root.stand_in("/usr/sbin/modprobe")
        .file("/modprobe.variables", "");
    let start = with_services(root.container(), 375);
    drop(start.variable("DOCKER_LAUNCH_MODULES", "none").running());
    assert_eq!(root.read("/modprobe.variables"), (375 * 7).to_string());
}

fn c7_the_library_passes_on_any_number() {
    let root = Root::new();
    root.stand_in("/usr/bin/caller").loader();
    let words: Vec<String> = (0..5000).map(|number| format!("-{number}")).collect();
    let start = root.container().program("/usr/bin/caller");
    let start = start.words(["dockerd"]).words(&words);
    let daemon = start
        .variable("LOG", "/log")
        .variable("MANY", "5000")
        .running();
    assert_eq!(daemon.words()[1..], words);
    assert_eq!(daemon.environment().len(), 5000 + 2);
}

fn c7_check_takes_any_number() {
    let root = Root::new();
    let words = (0..5000).map(|number| format!("--label=n{number}"));
    let start = with_services(root.container(), 375).words(["--check=json"]);
    let ended = start.words(words).words(["--data-root=/srv/data"]).ended();
    assert!(ended.stdout.contains("\"/srv/data\""), "{}", ended.stdout);
}
