//! Another init, a std program that is PID 1, calls the library. It becomes the daemon, or gets an error and continues.

use crate::{
    root::Root,
    running::Start,
    util::{Before, Needs, SYS_ADMIN, tests},
};
use dockerlaunch::{Command, Error, Settings, launch, launch_docker};
use std::{
    env,
    ffi::{CStr, CString},
    fs::File,
    os::{fd::IntoRawFd, unix::ffi::OsStringExt},
    process::ExitCode,
};

tests![Needs::Root;
    launch_docker_becomes_the_daemon,
    launch_uses_settings_and_a_log,
    a_missing_daemon_is_an_error,
    a_step_that_fails_is_an_error,
];

/// The stand-in: `caller DAEMON [ARG...]`. With LOG in its environment, it sets settings of its own. It prints the error.
pub(crate) fn caller() -> ExitCode {
    fn is_an_error<E: std::error::Error + Copy + Send + Sync + 'static>(_: &E) {}
    let words: Vec<CString> = env::args_os()
        .skip(1)
        .map(|word| CString::new(word.into_vec()).unwrap())
        .collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let error = match env::var("LOG") {
        Ok(log) => launch_with_log(&words, &log).expect_err("a launch that execs does not return"),
        Err(_) => launch_docker(words[0], &words[1..]).expect_err("it never returns another"),
    };
    is_an_error(&error);
    let subject = String::from_utf8_lossy(error.subject());
    println!(
        "{error}\n{error:?}\n{:?} {subject} {:?}",
        error.step(),
        error.raw_os_error()
    );
    ExitCode::from(error.exit_status())
}

fn launch_with_log(words: &[&CStr], log: &str) -> Result<dockerlaunch::Ended, Error> {
    let mut settings = Settings::default();
    settings.debug = true;
    settings.log = File::create(log).unwrap().into_raw_fd().cast_unsigned();
    settings.read_environment([c"DOCKER_LAUNCH_AS=container", c"OTHER=1"])?;
    let many = [c"MANY=1"; 5000];
    let variables = match env::var("MANY") {
        Ok(_) => &many[..],
        Err(_) => &[c"ONLY=this"],
    };
    let mut command = Command::new(words[0], &words[1..], variables)?;
    launch(&mut command, &settings)
}

/// Stand-ins that run before the launch need their loader.
fn root() -> Root {
    let root = Root::new();
    root.stand_in("/usr/bin/caller").loader();
    root
}

fn caller_of<'r>(root: &'r Root, words: &[&str]) -> Start<'r> {
    root.container().program("/usr/bin/caller").words(words)
}

fn launch_docker_becomes_the_daemon() {
    let root = root();
    let start = caller_of(&root, &["dockerd", "--debug", "-H", "fd://"]);
    // The library reads no global state: neither this variable nor this setting applies.
    let daemon = start
        .variable("MINE", "1")
        .variable("DOCKER_LAUNCH_DEBUG", "true")
        .running();
    assert_eq!(daemon.words(), ["dockerd", "--debug", "-H", "fd://"]);
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(
        daemon.environment(),
        ["HOME=/root", "LISTEN_FDS=1", "LISTEN_PID=1", path]
    );
    assert_eq!(daemon.mount_at("/run").data, "rw,mode=755");
    assert!(daemon.mount_at("/").propagation.starts_with("shared:"));
    assert!(!daemon.log().contains(" ms] "), "{}", daemon.log());
}

fn launch_uses_settings_and_a_log() {
    let root = root();
    let start = caller_of(&root, &["/usr/bin/dockerd"]);
    let daemon = start.variable("LOG", "/log").running();
    assert_eq!(daemon.environment()[..2], ["HOME=/root", "ONLY=this"]);
    assert_eq!(daemon.log(), "");
    let log = root.read("/log");
    assert!(log.ends_with(" ms] exec /usr/bin/dockerd\n"), "{log}");
    assert!(
        log.lines().all(|line| line.starts_with("dockerlaunch: ")),
        "{log}"
    );
    // The daemon does not inherit the log.
    assert_eq!(daemon.descriptors().len(), 3);
}

fn a_missing_daemon_is_an_error() {
    let root = root();
    let start = caller_of(&root, &["no-such"]);
    let before = root.tree();
    let ended = start.ended();
    let line = "daemon no-such: no such file or directory (ENOENT); install it, or name another daemon as the first argument";
    assert_eq!(
        ended.stdout,
        format!("{line}\nError({line})\nFind no-such Some(2)\n")
    );
    assert_eq!((ended.status, ended.stderr.as_str()), (127, ""));
    assert_eq!(root.tree(), before);
}

fn a_step_that_fails_is_an_error() {
    let root = root();
    let start = caller_of(&root, &["dockerd"]);
    let ended = start.before(Before::DropCapability(SYS_ADMIN)).ended();
    let line = "mount /dev/pts: operation not permitted (EPERM); run with --privileged";
    assert!(
        ended.stdout.starts_with(&format!("{line}\n")),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.ends_with("\nMount /dev/pts Some(1)\n"),
        "{}",
        ended.stdout
    );
    assert_eq!((ended.status, ended.stderr.as_str()), (125, ""));
}
