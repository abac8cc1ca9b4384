//! A log that accepts no output must not block the program. Lines that are dropped are counted, and the count is reported as
//! soon as the log accepts lines again. The tests of PID 1 are in held_log_pid_1.rs.

use crate::util::{Needs, program, tests};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::openpty,
    sys::termios::{FlowArg, SetArg, cfmakeraw, tcflow, tcgetattr, tcsetattr},
    unistd::pipe,
};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixDatagram, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The number of lines that `talkative` makes the program log: a warning for each variable, and the reason why it ends.
pub(crate) const LINES: usize = 300;
/// The program may wait for one line only. This leaves time for emulated and busy machines.
pub(crate) const SOON: Duration = Duration::from_secs(8);

tests![Needs::Nothing;
    b3_a_full_pipe_costs_one_second_in_total,
    b3_a_stopped_terminal_costs_one_second_in_total,
    b3_a_full_socket_costs_one_second_in_total,
    b3_a_short_write_loses_nothing,
    b3_a_slow_reader_gets_every_line,
    b3_files_and_devices_get_every_line,
    b3_shared_file_status_flags_are_not_changed,
];

/// Starts the program with so many unknown settings, each of which is a warning, and a refusal at the end.
fn talkative(lines: usize, log: impl Into<Stdio>) -> Child {
    let mut command = Command::new(program());
    command.env_clear().env("DOCKER_LAUNCH_AS", "machine");
    for number in 1..lines {
        command.env(format!("DOCKER_LAUNCH_UNKNOWN_{number:03}"), "x".repeat(60));
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn ends_soon(mut child: Child) {
    let limit = Instant::now() + SOON;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(1));
            return;
        }
        if Instant::now() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program hangs");
        }
        sleep(Duration::from_millis(10));
    }
}

pub(crate) fn set_nonblocking(descriptor: impl AsFd, on: bool) {
    let flags = if on {
        OFlag::O_NONBLOCK
    } else {
        OFlag::empty()
    };
    fcntl(descriptor, FcntlArg::F_SETFL(flags)).unwrap();
}

/// Fills it until it accepts nothing more.
pub(crate) fn fill(descriptor: &OwnedFd) {
    set_nonblocking(descriptor, true);
    let mut file = File::from(descriptor.try_clone().unwrap());
    while file.write(&[b'.'; 512]).is_ok() {}
    while file.write(b".").is_ok() {}
    set_nonblocking(descriptor, false);
}

/// Everything that can be read now.
fn drained(reads: OwnedFd) -> String {
    set_nonblocking(&reads, true);
    let mut text = Vec::new();
    let _ = File::from(reads).read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

/// A terminal in raw mode, which holds a few KiB that nobody reads: its master and its slave.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let pty = openpty(None, None).unwrap();
    let mut modes = tcgetattr(&pty.slave).unwrap();
    cfmakeraw(&mut modes);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).unwrap();
    (pty.master, pty.slave)
}

/// The same terminal, stopped as by ^S.
pub(crate) fn held_terminal() -> (OwnedFd, OwnedFd) {
    let (master, slave) = terminal();
    tcflow(&slave, FlowArg::TCOOFF).unwrap();
    (master, slave)
}

fn b3_a_full_pipe_costs_one_second_in_total() {
    let (reads, writes) = pipe().unwrap();
    fill(&writes);
    ends_soon(talkative(LINES, writes));
    assert!(!drained(reads).contains("dockerlaunch"));
}

fn b3_a_stopped_terminal_costs_one_second_in_total() {
    let (_master, slave) = held_terminal();
    ends_soon(talkative(LINES, slave));
}

fn b3_a_full_socket_costs_one_second_in_total() {
    let (_reads, writes) = UnixStream::pair().unwrap();
    let writes = OwnedFd::from(writes);
    fill(&writes);
    ends_soon(talkative(LINES, writes));
    let (_reads, writes) = UnixDatagram::pair().unwrap();
    ends_soon(talkative(LINES, OwnedFd::from(writes)));
}

/// A terminal without a reader accepts as much as fits; the rest of the line follows.
fn b3_a_short_write_loses_nothing() {
    let (master, slave) = terminal();
    let child = talkative(LINES, slave);
    sleep(Duration::from_millis(200));
    let mut text = String::new();
    let mut master = File::from(master);
    let mut buffer = [0; 1024];
    while let Ok(length) = master.read(&mut buffer) {
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    ends_soon(child);
    assert_eq!(text.lines().count(), LINES, "{text}");
    let is_whole = |line: &str| line.starts_with("dockerlaunch: ") && !line.contains("dropped");
    assert!(text.lines().all(is_whole), "{text}");
}

fn b3_a_slow_reader_gets_every_line() {
    let (reads, writes) = pipe().unwrap();
    fcntl(&writes, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let child = talkative(60, writes);
    let (mut text, mut buffer) = (Vec::new(), [0; 512]);
    let mut reads = File::from(reads);
    loop {
        sleep(Duration::from_millis(20));
        match reads.read(&mut buffer).unwrap() {
            0 => break,
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
    ends_soon(child);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), 60, "{text}");
    assert!(!text.contains("dropped"), "{text}");
}

fn b3_files_and_devices_get_every_line() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("log-{}", std::process::id()));
    fs::write(&path, "kept\n").unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    ends_soon(talkative(LINES, file));
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        text.starts_with("kept\n") && text.lines().count() == LINES + 1,
        "{text}"
    );
    for device in ["/dev/null", "/dev/full"] {
        ends_soon(talkative(
            LINES,
            File::options().write(true).open(device).unwrap(),
        ));
    }
    // A pipe without a reader, and a descriptor that is open only for reading.
    let (reads, writes) = pipe().unwrap();
    ends_soon(talkative(LINES, reads));
    drop(writes);
}

/// The flags of a shared open file description are unchanged, and the daemon's writes block as before.
fn b3_shared_file_status_flags_are_not_changed() {
    let (_reads, writes) = pipe().unwrap();
    let own = writes.try_clone().unwrap();
    ends_soon(talkative(3, writes));
    assert_eq!(
        fcntl(&own, FcntlArg::F_GETFL).unwrap() & OFlag::O_NONBLOCK.bits(),
        0
    );
}
