//! The first container of an engine that PID 1 starts meanwhile: `first-container` asks until the engine answers, imports the image /bench/busybox.tar, and runs a container of it to its end. Each step is a line `bench: NAME NANOSECONDS` on
//! standard output, on the kernel's clock.

use std::{
    fs,
    io::{Error, Read, Result, Write},
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread::sleep,
    time::Duration,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    time::{ClockId, clock_gettime},
    unistd::chdir,
};

use serde_json::Value;

/// PID 1 may move its root: the engine's socket is found through a /proc that nobody else sees.
const PROC: &str = "/bench/proc";
const PID_1: &str = "/bench/proc/1";
const SOCKET: &str = "root/run/docker.sock";
const IMAGE: &str = "/bench/busybox.tar";
/// What the harness compares of two engines.
const FACTS: &[&str] = &[
    "ServerVersion",
    "KernelVersion",
    "Driver",
    "CgroupDriver",
    "CgroupVersion",
    "Runtimes",
    "SecurityOptions",
    "Warnings",
];
const BETWEEN: Duration = Duration::from_millis(5);

pub(crate) fn first() {
    if let Err(error) = see_pid_1() {
        println!("bench: container: {PROC}: {error}");
    }
    let_pid_1_go();
    while ask("GET /_ping", "text/plain", b"").is_err() {
        sleep(BETWEEN);
    }
    said("answers");
    if let Err(error) = container() {
        println!("bench: container: {error}");
    }
    println!("bench: end");
}

/// Lets `start` go on, which waits until descriptor 3 is closed.
pub(crate) fn let_pid_1_go() {
    // SAFETY: it is this program's, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(3) });
}

/// Goes to the folder of PID 1 in a /proc that nobody else sees.
pub(crate) fn see_pid_1() -> nix::Result<()> {
    let none = None::<&str>;
    mount(Some("proc"), PROC, Some("proc"), MsFlags::empty(), none)?;
    chdir(PID_1)?;
    umount2(PROC, MntFlags::MNT_DETACH)
}

fn container() -> Result<()> {
    let image = fs::read(IMAGE)?;
    let from = "POST /images/create?fromSrc=-&repo=busybox&tag=latest";
    ask(from, "application/x-tar", &image)?;
    said("imported");
    let json = "application/json";
    let body = br#"{"Image":"busybox","Cmd":["true"]}"#;
    ask("POST /containers/create?name=first", json, body)?;
    said("created");
    ask("POST /containers/first/start", json, b"")?;
    said("started");
    let ended = ask("POST /containers/first/wait", json, b"")?;
    said("container");
    let info: Value = serde_json::from_str(&ask("GET /info", json, b"")?)?;
    let facts: serde_json::Map<String, Value> = FACTS
        .iter()
        .map(|name| ((*name).to_owned(), info[*name].clone()))
        .collect();
    println!("bench: engine {}", Value::Object(facts));
    if !ended.contains(r#""StatusCode":0"#) {
        return Err(Error::other(ended));
    }
    Ok(())
}

fn said(name: &str) {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from);
    println!("bench: {name} {}", now.unwrap_or_default().as_nanos());
}

/// The body of a successful answer. With HTTP/1.0 the engine closes the connection behind it.
fn ask(what: &str, kind: &str, body: &[u8]) -> Result<String> {
    let mut stream = UnixStream::connect(SOCKET)?;
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.0\r\nHost: docker\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(Error::other(format!("{what}: {answer}")));
    }
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    Ok(body.unwrap_or_default().to_owned())
}
