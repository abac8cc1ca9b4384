//! The probe's verbs, in a table: what a daemon does while it runs, and how it ends.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::fs::OpenOptionsExt,
        unix::net::{SocketAddr, UnixDatagram, UnixStream},
    },
    process::{Command, abort, exit},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    libc,
    sys::{
        reboot::{RebootMode, reboot},
        signal::{SigSet, Signal},
    },
    unistd::{ForkResult, fork, setsid, sync},
};

use crate::{agent, calls, collect, container, orphans, port};

/// A verb, and what it does with its argument.
type Verb = (&'static str, fn(&str));

const TABLE: &[Verb] = &[
    // Sends the report.
    ("report", |_| report()),
    ("say", port::say),
    // Reports that the daemon is ready, as dockerd does.
    ("ready", |_| notify("READY=1")),
    // Sends PID 1 a signal, by number.
    ("signal", signal),
    // Runs a program with its arguments to its end.
    ("run", run),
    // Reports each signal; TERM and INT end it.
    ("wait", |name| listen(name, true)),
    // The same, but only KILL ends it.
    ("deaf", |name| listen(name, false)),
    // Starts a process in its own session, like a container's shim, that waits or ignores signals, with a file of the disk open.
    ("leave", |name| leave(name, true)),
    ("leave-deaf", |name| leave(name, false)),
    // Ends with status 3, or by SIGABRT, in this many starts.
    ("fail", |times| fail(times, || exit(3))),
    ("abort", |times| fail(times, || abort())),
    // Writes to the console until it accepts no more.
    ("fill-console", |_| fill_console()),
    // Counts the boots of this machine in a file.
    ("count", count),
    // Makes an empty file, as a power cut may leave it.
    ("empty", empty),
    // Makes a file that uses all free space.
    ("fill", fill),
    ("exit", |status| exit(status.parse().unwrap_or(125))),
    ("orphans", orphans::make),
    ("agent", |_| agent::serve()),
    ("ping", ping),
    ("count-calls", |_| calls::count()),
    ("first-container", |_| container::first()),
    ("power-off", |_| power_off()),
];

/// The socket for `-H fd://`.
const SOCKET: &str = "/run/docker.sock";
/// An emulated engine is ready again in ten seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_CLIENTS: Duration = Duration::from_millis(50);

/// Counts the starts of the probe in this guest.
const STARTS: &str = "/run/probe-starts";

/// Does one verb after the other. All are in one argument, because the kernel passes only a limited number to PID 1.
pub(crate) fn walk(verbs: &str) {
    let known = |name: &str| TABLE.iter().find(|(verb, _)| *verb == name);
    for verb in verbs.split(',') {
        let (name, argument) = verb.split_once(':').unwrap_or((verb, ""));
        match known(name) {
            Some((_, act)) => act(argument),
            None => port::say(&format!("no such verb: {verb}")),
        }
    }
}

fn report() {
    match probe::frame(&collect::report()) {
        Ok(frame) => port::send(&frame),
        Err(error) => port::say(&format!("report: {error}")),
    }
}

/// sd_notify(3): a datagram to the socket that the environment names; `@` means the abstract name space.
fn notify(state: &str) {
    let Ok(path) = env::var("NOTIFY_SOCKET") else {
        return port::say("no NOTIFY_SOCKET");
    };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    match sent {
        Ok(_) => port::say(state),
        Err(error) => port::say(&format!("{state}: {path}: {error}")),
    }
}

fn signal(number: &str) {
    block();
    let number = number.parse().unwrap_or_default();
    // SAFETY: a plain system call.
    if unsafe { libc::kill(1, number) } != 0 {
        port::say(&format!(
            "signal {number}: {}",
            std::io::Error::last_os_error()
        ));
    }
}

fn run(command: &str) {
    block();
    let mut arguments = command.split(' ');
    let Some(program) = arguments.next() else {
        return;
    };
    match Command::new(program).args(arguments).status() {
        Ok(status) if status.success() => {}
        Ok(status) => port::say(&format!("{program}: {status}")),
        Err(error) => port::say(&format!("{program}: {error}")),
    }
}

/// Blocks the signals, so that none that comes before `wait` is lost.
fn block() -> SigSet {
    let mut signals = SigSet::empty();
    signals.extend([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    if let Err(error) = signals.thread_block() {
        port::say(&format!("block signals: {error}"));
    }
    signals
}

fn listen(name: &str, obeys: bool) {
    let signals = block();
    port::say(format!("{name} waits").trim_start());
    while let Ok(signal) = signals.wait() {
        port::say(format!("{name} {signal}").trim_start());
        if obeys && signal != Signal::SIGHUP {
            exit(0);
        }
    }
}

fn leave(name: &str, obeys: bool) {
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { .. }) => {}
        Ok(ForkResult::Child) => {
            let _ = setsid();
            let path = format!("/var/log/{name}");
            let _open = OpenOptions::new().create(true).append(true).open(path);
            listen(name, obeys);
            exit(0);
        }
        Err(error) => port::say(&format!("fork: {error}")),
    }
}

fn fail(times: &str, how: fn()) {
    let starts = fs::read_to_string(STARTS).unwrap_or_default().len() + 1;
    if let Err(error) = fs::write(STARTS, "x".repeat(starts)) {
        port::say(&format!("{STARTS}: {error}"));
    }
    port::say(&format!("start {starts}"));
    if starts <= times.parse().unwrap_or(usize::MAX) {
        how();
    }
}

/// A console that accepts nothing for this long is held, not slow.
const HELD: Duration = Duration::from_secs(1);
/// It buffers a few KiB, and the harness has to hold it meanwhile.
const HELD_WITHIN: Duration = Duration::from_secs(60);

fn fill_console() {
    port::say("fills");
    let mut options = OpenOptions::new();
    options
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let mut console = match options.open("/dev/console") {
        Ok(console) => console,
        Err(error) => return port::say(&format!("/dev/console: {error}")),
    };
    let (start, mut taken) = (Instant::now(), Instant::now());
    while taken.elapsed() < HELD {
        if start.elapsed() > HELD_WITHIN {
            return port::say("the console is not held");
        }
        match console.write(b"the probe fills the console\n") {
            Ok(1..) => taken = Instant::now(),
            _ => sleep(Duration::from_millis(20)),
        }
    }
    port::say("the console is held");
}

/// Adds one to the number in a file, which is synced before it is reported.
fn count(path: &str) {
    let before = fs::read_to_string(path).unwrap_or_default();
    let boots = before.trim().parse().unwrap_or(0) + 1;
    let written = fs::File::create(path).and_then(|mut file| {
        writeln!(file, "{boots}")?;
        file.sync_all()
    });
    match written {
        Ok(()) => port::say(&format!("boot {boots}")),
        Err(error) => port::say(&format!("{path}: {error}")),
    }
}

fn empty(path: &str) {
    if let Err(error) = fs::File::create(path) {
        port::say(&format!("{path}: {error}"));
    }
}

/// Allocates large parts first, without writing them; the rest is written byte by byte, also the space reserved for root.
fn fill(path: &str) {
    let mut file = match OpenOptions::new().create(true).append(true).open(path) {
        Ok(file) => file,
        Err(error) => return port::say(&format!("{path}: {error}")),
    };
    let (mut length, mut part) = (0, 1 << 30);
    while part >= 4096 {
        // SAFETY: a plain system call on an open file.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, length, part) } == 0 {
            length += part;
        } else {
            part /= 2;
        }
    }
    let full = (0..4096).find_map(|_| file.write_all(&[b'x'; 4096]).err());
    match full {
        Some(error) if error.raw_os_error() == Some(libc::ENOSPC) => sync(),
        other => port::say(&format!("{path}: {other:?}")),
    }
}

/// This many clients connect to the engine, one after the other, while it restarts: counts those that connect, and those that get an
/// answer. The output is for the program's caller, so it does not go to the port.
fn ping(clients: &str) {
    let connect = |_| {
        let client = UnixStream::connect(SOCKET).and_then(|mut client| {
            client.set_read_timeout(Some(ANSWERED_WITHIN))?;
            client.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
            Ok(client)
        });
        sleep(BETWEEN_CLIENTS);
        client
    };
    let clients = 0..clients.parse().unwrap_or_default();
    let (connected, refused): (Vec<_>, Vec<_>) = clients.map(connect).partition(Result::is_ok);
    let count = connected.len();
    let answered = connected.into_iter().flatten().filter_map(|mut client| {
        let mut answer = String::new();
        client.read_to_string(&mut answer).ok()?;
        answer.ends_with("OK").then_some(())
    });
    println!("{count} connected, {} answered", answered.count());
    refused.into_iter().for_each(|error| println!("{error:?}"));
}

fn power_off() {
    sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    eprintln!("probe: reboot: {error}");
    exit(1);
}
