//! What the stand-in can do, as data: a daemon's ways to live and to die.

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

use crate::{agent, collect, orphans, port};

/// A verb, what it does with its argument, and what it is there for.
type Verb = (&'static str, fn(&str));

const TABLE: &[Verb] = &[
    // The report of everything that can be seen.
    ("report", |_| report()),
    ("say", port::say),
    // What dockerd tells once it answers.
    ("ready", |_| notify("READY=1")),
    // A signal for PID 1, by number.
    ("signal", signal),
    // A program and its words, to its end.
    ("run", run),
    // Tells which signals come; TERM and INT end it.
    ("wait", |name| listen(name, true)),
    // The same, and nothing ends it but KILL.
    ("deaf", |name| listen(name, false)),
    // A process in a session of its own, as a container's shim is, that waits or is deaf; it has a file of the disk open.
    ("leave", |name| leave(name, true)),
    ("leave-deaf", |name| leave(name, false)),
    // Ends with status 3, or by SIGABRT, in the first starts: so many.
    ("fail", |times| fail(times, || exit(3))),
    ("abort", |times| fail(times, || abort())),
    // Writes to the console until it takes no more.
    ("fill-console", |_| fill_console()),
    // How often this machine has been started, by a file that outlives its power.
    ("count", count),
    // A file without contents, as a power cut leaves it.
    ("empty", empty),
    // A file that takes all the space that is left.
    ("fill", fill),
    ("exit", |status| exit(status.parse().unwrap_or(125))),
    ("orphans", orphans::make),
    ("agent", |_| agent::serve()),
    ("ping", ping),
    ("power-off", |_| power_off()),
];

/// What is bound for `-H fd://`.
const SOCKET: &str = "/run/docker.sock";
/// An emulated engine is up again in ten seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_CLIENTS: Duration = Duration::from_millis(50);

/// How often this guest's stand-in has been started.
const STARTS: &str = "/run/probe-starts";

/// Does one after the other. They stand in one word, because the kernel hands only so many to PID 1.
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

/// sd_notify(3): a datagram to the socket whose name the environment gives; `@` stands for the abstract name space.
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
    let mut words = command.split(' ');
    let Some(program) = words.next() else { return };
    match Command::new(program).args(words).status() {
        Ok(status) if status.success() => {}
        Ok(status) => port::say(&format!("{program}: {status}")),
        Err(error) => port::say(&format!("{program}: {error}")),
    }
}

/// From now on they wait to be taken: what comes before `wait` is not lost.
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

/// A console that takes nothing for so long is held, not slow.
const HELD: Duration = Duration::from_secs(1);
/// It holds a few KiB, and somebody has to hold it meanwhile.
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
            return port::say("nobody holds the console");
        }
        match console.write(b"the probe fills the console\n") {
            Ok(1..) => taken = Instant::now(),
            _ => sleep(Duration::from_millis(20)),
        }
    }
    port::say("the console is held");
}

/// Adds one to the number in a file, which reaches the disk before it is told.
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

/// Large parts first, without writing them; what is left is written byte by byte, as root may.
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

/// So many clients of the engine, one after the other in the time of its absence: whether they are let in, and answered in the
/// end. For whoever started this program, so it is not said on the port.
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
