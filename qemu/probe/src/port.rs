//! The second serial port: reports, lines, and the agent's requests. The console would mix them with the kernel's lines.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
};

use nix::{
    fcntl::OFlag,
    sys::{
        stat::{Mode, SFlag, makedev, mknod},
        termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr},
    },
};

const PATH: &str = "/dev/ttyS1";

/// Sends the bytes in one piece, and waits until they are sent: the machine may power off next.
pub(crate) fn send(bytes: &[u8]) {
    let sent = open().and_then(|mut port| {
        port.write_all(bytes)?;
        Ok(tcdrain(&port)?)
    });
    if let Err(error) = sent {
        eprintln!("probe: {PATH}: {error}");
    }
}

/// One line for the harness.
pub(crate) fn say(text: &str) {
    send(format!("{}{text}\n", probe::SAYS).as_bytes());
}

/// The port in raw mode. If the init under test has left /dev empty, its device is made here; the report shows the empty /dev. The
/// port must not become the terminal of this session, or the kernel would hang it up when the session ends.
pub(crate) fn open() -> io::Result<File> {
    let open = |path| {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options.custom_flags(OFlag::O_NOCTTY.bits()).open(path)
    };
    let port = open(PATH).or_else(|_| {
        let spare = "/tmp/.probe-port";
        mknod(
            spare,
            SFlag::S_IFCHR,
            Mode::S_IRUSR | Mode::S_IWUSR,
            makedev(4, 65),
        )?;
        open(spare)
    })?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    Ok(port)
}
