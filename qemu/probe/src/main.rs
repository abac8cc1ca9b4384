//! The probe: installed in place of dockerd, it reports over the second serial port what it was given, and then powers
//! the guest off, so that a scenario ends by itself. It never stops at what it cannot find: a missing fact is an empty
//! field, which the harness compares like any other.

mod collect;
mod files;
mod pivot;

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Write},
    process::exit,
};

use nix::{
    sys::{
        reboot::{RebootMode, reboot},
        stat::{Mode, SFlag, makedev, mknod},
        termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr},
    },
    unistd::sync,
};

/// Ends with this status instead of powering off; a scenario of a daemon that dies.
const EXIT: &str = "--probe-exit=";
const PORT: &str = "/dev/ttyS1";

fn main() {
    let report = collect::report();
    if let Err(error) = probe::frame(&report)
        .map_err(io::Error::from)
        .and_then(|frame| send(&frame))
    {
        eprintln!("probe: {PORT}: {error}");
    }
    if let Some(status) = env::args().find_map(|word| word.strip_prefix(EXIT)?.parse().ok()) {
        exit(status);
    }
    sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    eprintln!("probe: reboot: {error}");
    exit(1);
}

fn send(frame: &[u8]) -> io::Result<()> {
    let mut port = open_port()?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    port.write_all(frame)?;
    Ok(tcdrain(&port)?)
}

/// The port, made here if the init under test has left /dev empty: its report is what tells so.
fn open_port() -> io::Result<File> {
    let open = |path| OpenOptions::new().write(true).open(path);
    open(PORT).or_else(|_| {
        let spare = "/tmp/.probe-port";
        mknod(spare, SFlag::S_IFCHR, Mode::S_IWUSR, makedev(4, 65))?;
        open(spare)
    })
}
