//! Resource limits, the out-of-memory score, and the descriptors that the daemon inherits.

use crate::{
    root::Root,
    running::Running,
    util::{Before, Needs, tests},
};
use std::fs;

tests![Needs::Root;
    open_files_are_raised_as_far_as_the_kernel_allows,
    open_files_are_never_lowered,
    processes_and_core_files_are_not_limited,
    the_out_of_memory_score_is_set_if_permitted,
    only_the_standard_descriptors_stay_open,
    closed_standard_descriptors_are_opened,
    a_writable_standard_error_stays_the_log,
    a_listener_does_not_replace_the_log,
];

/// Without CAP_SYS_RESOURCE not even root can raise a hard limit.
fn may_raise() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    effective() & SYS_RESOURCE != 0
}

fn effective() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:\t"))
        .unwrap();
    u64::from_str_radix(line, 16).unwrap()
}

/// Soft and hard limit, as /proc/PID/limits shows them.
fn limit(limits: &str, name: &str) -> (String, String) {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    let mut words = line.split_ascii_whitespace();
    (words.next().unwrap().into(), words.next().unwrap().into())
}

/// As the machine, started with these limits of open files.
fn with_open_files(root: &Root, soft: u64, hard: u64) -> Running<'_> {
    let limits = Before::Limit { soft, hard };
    root.machine().before(limits).running()
}

fn open_files_are_raised_as_far_as_the_kernel_allows() {
    let root = Root::new();
    let daemon = with_open_files(&root, 256, 4096);
    let hard = if may_raise() { "524288" } else { "4096" };
    assert_eq!(
        limit(&daemon.proc("limits"), "Max open files"),
        ("1024".into(), hard.into())
    );
    drop(daemon);
    // A hard limit below the wanted soft limit lowers the soft limit, too.
    let daemon = with_open_files(&root, 128, 512);
    let expected = if may_raise() {
        ("1024", "524288")
    } else {
        ("512", "512")
    };
    assert_eq!(
        limit(&daemon.proc("limits"), "Max open files"),
        (expected.0.into(), expected.1.into())
    );
}

fn open_files_are_never_lowered() {
    let root = Root::new();
    let now = limit(
        &fs::read_to_string("/proc/self/limits").unwrap(),
        "Max open files",
    )
    .1
    .parse::<u64>()
    .unwrap();
    let daemon = with_open_files(&root, now.min(3000), now);
    let hard = if may_raise() { now.max(524_288) } else { now };
    assert_eq!(
        limit(&daemon.proc("limits"), "Max open files"),
        (now.min(3000).to_string(), hard.to_string())
    );
}

fn processes_and_core_files_are_not_limited() {
    let root = Root::new();
    let daemon = root.machine().running();
    for name in ["Max processes", "Max core file size"] {
        let (_, hard) = limit(&fs::read_to_string("/proc/self/limits").unwrap(), name);
        let expected = if may_raise() {
            "unlimited".into()
        } else {
            hard
        };
        assert_eq!(
            limit(&daemon.proc("limits"), name),
            (expected.clone(), expected),
            "{name}"
        );
    }
}

fn the_out_of_memory_score_is_set_if_permitted() {
    let root = Root::new();
    let daemon = root
        .machine()
        .variable("DOCKER_LAUNCH_DEBUG", "true")
        .running();
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let told = daemon
        .log()
        .contains("oom_score_adj stays: the kernel refuses -500");
    let expected = if may_raise() {
        ("-500\n", false)
    } else {
        (own.as_str(), true)
    };
    assert_eq!((daemon.proc("oom_score_adj").as_str(), told), expected);
}

fn only_the_standard_descriptors_stay_open() {
    let root = Root::new();
    root.file("/inherited", "");
    let daemon = root
        .machine()
        .before(Before::Open {
            at: "/inherited".into(),
        })
        .before(Before::Open {
            at: "/inherited".into(),
        })
        .running();
    let numbers: Vec<u32> = daemon
        .descriptors()
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
}

fn closed_standard_descriptors_are_opened() {
    let root = Root::new();
    let daemon = (0..=2)
        .fold(root.machine(), |start, number| {
            start.before(Before::Close(number))
        })
        .running();
    let console = |number| (number, "/dev/console".to_string());
    assert_eq!(daemon.descriptors(), [console(0), console(1), console(2)]);
    drop(daemon);
    // There is no console; a file stands in for /dev/kmsg, so that the test machine's kernel log is left alone.
    root.file("/log", "");
    let mut start = root.container().before(Before::Open { at: "/log".into() });
    start = start.before(Before::File {
        at: "/dev/kmsg".into(),
        contents: String::new(),
    });
    start = start
        .before(Before::bind(root.path("/log"), "/dev/kmsg"))
        .variable("DOCKER_LAUNCH_UNKNOWN", "x");
    let daemon = (0..=2)
        .fold(start, |start, number| start.before(Before::Close(number)))
        .running();
    let null = |number| (number, "/dev/null".to_string());
    assert_eq!(daemon.descriptors(), [null(0), null(1), null(2)]);
    assert!(
        root.read("/log")
            .starts_with("dockerlaunch: warning: DOCKER_LAUNCH_UNKNOWN=x is not a setting")
    );
}

/// Only standard input is closed, and there is no console: the log is still standard error.
fn a_writable_standard_error_stays_the_log() {
    let root = Root::new();
    let daemon = root
        .container()
        .before(Before::File {
            at: "/dev/kmsg".into(),
            contents: String::new(),
        })
        .before(Before::Close(0))
        .variable("DOCKER_LAUNCH_UNKNOWN", "x")
        .running();
    assert!(
        daemon
            .log()
            .contains("DOCKER_LAUNCH_UNKNOWN=x is not a setting"),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.descriptors()[0], (0, "/dev/null".into()));
}

/// Without a console the log is a descriptor of its own, and the daemon's socket must be descriptor 3.
fn a_listener_does_not_replace_the_log() {
    let root = Root::new();
    root.file("/log", "");
    root.file("/usr/bin/script", "#!/no/such\n")
        .mode("/usr/bin/script", 0o755);
    let mut start = root.container().words(["script", "-H", "fd://"]);
    start = start.before(Before::File {
        at: "/dev/kmsg".into(),
        contents: String::new(),
    });
    start = start.before(Before::bind(root.path("/log"), "/dev/kmsg"));
    let ended = (0..=2)
        .fold(start, |start, number| start.before(Before::Close(number)))
        .ended();
    assert_eq!(ended.status, 126);
    assert!(
        root.read("/log")
            .contains("dockerlaunch: exec /usr/bin/script: no such file"),
        "{}",
        root.read("/log")
    );
}
