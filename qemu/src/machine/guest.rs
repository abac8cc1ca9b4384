//! A running guest: its console, its second serial port, and what can be done to it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, anyhow};
use probe::Answer;
use serde_json::{Value, json};

use super::{
    arguments,
    console::Line,
    fault,
    process::{Exit, Process},
    qmp::{self, Qmp},
    settings::Machine,
};
use crate::{disks, host::paths};

/// Typed on the console: its output stops (XOFF, ^S), and continues (XON, ^Q).
pub const HOLD: &str = "\x13";
const RELEASE: &str = "\x11";

/// How many lines of the console an error shows.
const SHOWN: usize = 40;

/// How long QEMU may take to end once it was asked to.
const END: Duration = Duration::from_secs(10);

/// Dropping it kills the guest, like a cut of the power.
pub struct Guest {
    process: Process,
    qmp: Mutex<Qmp>,
    /// The guest's port, and the port of 127.0.0.1 that leads to it.
    forwards: Vec<(u16, u16)>,
    console_path: PathBuf,
    /// The machine's.
    name: String,
    init: String,
    verbose: bool,
}

impl Guest {
    pub(super) fn start(machine: &Machine) -> Result<Self> {
        if machine.fresh {
            disks::renew(&machine.kept())?;
        }
        let arguments = arguments::qemu(machine)?;
        if machine.verbose {
            let quoted: Vec<String> = arguments.iter().map(|word| shell(word)).collect();
            eprintln!("qemu-system-x86_64 {}", quoted.join(" "));
        }
        let directory = paths::target()?.join("qemu");
        fs::create_dir_all(&directory)?;
        let console_path = directory.join(format!("{}.console", machine.name));
        let (process, stream, answers) =
            Process::start(&arguments, &console_path, machine.show_console)?;
        let asked = Qmp::greet(stream, answers).and_then(|mut qmp| {
            let line = json!({ "command-line": "info usernet" });
            let table = qmp.ask("human-monitor-command", line)?;
            Ok((qmp, qmp::forwards(table.as_str().unwrap_or_default())))
        });
        let (qmp, forwards) = asked.map_err(|error| match process.complaint() {
            Some(complaint) => anyhow!("QEMU did not start: {complaint}"),
            None => error.context("QEMU did not start"),
        })?;
        Ok(Self {
            process,
            qmp: Mutex::new(qmp),
            forwards,
            console_path,
            name: machine.name.clone(),
            init: machine.init.clone(),
            verbose: machine.verbose,
        })
    }

    /// The port on 127.0.0.1 that leads to the guest's `port`, which the machine must have among its forwards.
    pub fn port(&self, port: u16) -> Result<u16> {
        let found = self.forwards.iter().find(|(guest, _)| *guest == port);
        found
            .map(|(_, host)| *host)
            .ok_or_else(|| anyhow!("QEMU forwards no port to the guest's {port}"))
    }

    /// All lines of the console so far.
    pub fn console(&self) -> Vec<Line> {
        self.process.shared.lock().console.lines.clone()
    }

    /// Where every byte of the console is kept.
    pub fn console_path(&self) -> &Path {
        &self.console_path
    }

    /// When the kernel's first line came.
    pub fn kernel_start(&self) -> Option<Instant> {
        self.process.shared.lock().console.kernel_start()
    }

    /// Waits for a line that `wanted` accepts, and returns the first; lines that have come already count.
    pub fn wait_for_line(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Line> {
        let mut seen = 0;
        self.process.wait(what, limit, |state| {
            let new = &state.console.lines[seen..];
            seen = state.console.lines.len();
            new.iter().find(|line| wanted(&line.text)).cloned()
        })
    }

    /// Waits until `done` returns something for the bytes that came over the second serial port.
    pub fn wait_for_report<T>(
        &self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<T> {
        self.process.wait(what, limit, |state| done(&state.report))
    }

    /// The lines that the probe has written so far.
    pub fn told(&self) -> Vec<String> {
        lines(&self.process.shared.lock().report)
    }

    pub fn wait_until_told(&self, line: &str, limit: Duration) -> Result<()> {
        let what = format!("the probe to say `{line}`");
        self.wait_for_report(&what, limit, |bytes| {
            lines(bytes).iter().any(|told| told == line).then_some(())
        })
    }

    /// An error once the guest has ended.
    pub fn alive(&self) -> Result<()> {
        match &self.process.shared.lock().exit {
            Some(exit) => Err(anyhow!("QEMU has ended ({})", exit.status)),
            None => Ok(()),
        }
    }

    /// Waits until the guest has ended by itself.
    pub fn wait_exit(&self, limit: Duration) -> Result<Exit> {
        self.process.wait_exit(limit)
    }

    /// Types on the console.
    pub fn type_text(&self, text: &str) -> Result<()> {
        (&self.process.console)
            .write_all(text.as_bytes())
            .context("type on the console")
    }

    /// Waits until the kernel starts PID 1.
    pub fn wait_for_start(&self, limit: Duration) -> Result<Line> {
        let started = |line: &str| fault::starts(line, &self.init);
        self.wait_for_line("the start of PID 1", limit, started)
    }

    /// Holds the console's output this long, or until the guest ends, and calls `meanwhile` first.
    pub fn hold_console(
        &self,
        hold: Duration,
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.type_text(HOLD)?;
        meanwhile()?;
        if self.wait_exit(hold).is_err() {
            self.type_text(RELEASE)?;
        }
        Ok(())
    }

    /// Presses these keys of the PC's keyboard together, by QEMU's names for them, and releases them.
    pub fn press_keys(&self, keys: &[&str]) -> Result<()> {
        let keys: Vec<Value> = keys
            .iter()
            .map(|key| json!({ "type": "qcode", "data": key }))
            .collect();
        self.qmp("send-key", json!({ "keys": keys })).map(drop)
    }

    /// Plugs in a disk that was absent at first.
    pub fn plug(&self, name: &str) -> Result<()> {
        let slot = format!("{}{name}", arguments::SLOT);
        let device =
            json!({ "driver": "virtio-blk-pci", "id": "plugged", "drive": name, "bus": slot });
        self.qmp("device_add", device).map(drop)
    }

    /// Presses the ACPI power button.
    pub fn press_power_button(&self) -> Result<()> {
        self.qmp("system_powerdown", json!({})).map(drop)
    }

    /// Runs a shell command in a guest whose probe serves as an agent.
    pub fn shell(&self, limit: Duration, command: &str) -> Result<Answer> {
        let (number, from) = {
            let state = self.process.shared.lock();
            // Each request needs its own number, and every answer makes the stream longer.
            (state.report.len() as u32, state.report.len())
        };
        writeln!(&self.process.report, "{number} {command}").context("ask the agent")?;
        let what = format!("the agent's answer to `{command}`");
        let answer: Answer = self.wait_for_report(&what, limit, |bytes| {
            probe::unframe::<Answer>(&bytes[from..])
                .ok()
                .filter(|answer| answer.number == number)
        })?;
        Ok(answer)
    }

    /// Asks QEMU something over QMP.
    pub fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        let mut qmp = self.qmp.lock().unwrap_or_else(PoisonError::into_inner);
        qmp.ask(command, arguments)
    }

    /// Ends QEMU immediately, like a cut of the power.
    pub fn quit(&self) -> Result<Exit> {
        let asked = self.qmp("quit", json!({}));
        match (self.wait_exit(END), asked) {
            (Ok(exit), _) => Ok(exit), // The answer may be lost with QEMU.
            (Err(error), asked) => Err(asked.err().unwrap_or(error)),
        }
    }

    /// Prints something for a user who asked for --verbose.
    pub fn remark(&self, what: &str) {
        if self.verbose {
            eprintln!("{}: {what}", self.name);
        }
    }

    /// The error with the end of the console.
    pub fn explain(&self, error: Error) -> Error {
        let state = self.process.shared.lock();
        let ended = match &state.exit {
            Some(Exit { status, reason }) => {
                let reason = reason.as_deref().unwrap_or("no reason given");
                format!("\nQEMU has ended ({status}, {reason})")
            }
            None => String::new(),
        };
        let end = state.console.end(SHOWN);
        let path = self.console_path.display();
        anyhow!("{error:#}{ended}\nthe end of the console, all of it in {path}:\n{end}")
    }

    /// Whether the kernel has started PID 1.
    pub(super) fn reached_pid_1(&self) -> bool {
        let state = self.process.shared.lock();
        let mut lines = state.console.lines.iter();
        lines.any(|line| fault::starts(&line.text, &self.init))
    }

    /// The fault of the emulator that the console shows, if any.
    pub(super) fn emulator_fault(&self) -> Option<String> {
        let state = self.process.shared.lock();
        let lines = state.console.lines.iter().map(|line| line.text.as_str());
        fault::find(lines, &self.init, state.exit.is_none())
    }
}

/// The probe's lines outside of frames.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    // The last one may be incomplete.
    let whole = text.rsplit_once('\n').unwrap_or_default().0;
    whole
        .lines()
        .filter_map(|line| line.strip_prefix(probe::SAYS))
        .map(str::to_owned)
        .collect()
}

/// An argument quoted for a shell, for the user who starts QEMU by hand.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{lines, shell};

    #[test]
    fn only_whole_lines_of_the_probe_count() {
        let bytes = b"noise\nprobe: one\nDOCKERLAUNCH-PROBE 2 0\n{}\nprobe: two\nprobe: hal";
        assert_eq!(lines(bytes), ["one", "two"]);
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(shell("-m"), "-m");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's"), r"'it'\''s'");
    }
}
