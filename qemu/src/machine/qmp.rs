//! QEMU's machine protocol, as far as it is needed: commands, and the event that says why the guest stopped.
//!
//! Each line is a JSON object: an event, or the answer to the one command that is under way.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long QEMU may take to answer. It answers while the guest computes, so only a very busy host needs this long.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) struct Qmp {
    stream: UnixStream,
    answers: Receiver<Value>,
}

/// Reads QEMU's messages until it is gone: `on_event` is called from the thread, answers come through the channel.
pub(super) fn read(
    stream: &UnixStream,
    on_event: impl Fn(&Value) + Send + 'static,
) -> Result<(JoinHandle<()>, Receiver<Value>)> {
    let (sender, answers) = channel();
    let reader = BufReader::new(stream.try_clone()?);
    let thread = thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            match serde_json::from_str::<Value>(&line) {
                Ok(message) if message.get("event").is_some() => on_event(&message),
                // Nobody may be waiting any more.
                Ok(message) => drop(sender.send(message)),
                Err(_) => {}
            }
        }
    });
    Ok((thread, answers))
}

impl Qmp {
    /// Reads QEMU's greeting and starts the command mode.
    pub(super) fn greet(stream: UnixStream, answers: Receiver<Value>) -> Result<Self> {
        let mut qmp = Self { stream, answers };
        qmp.answer().context("QEMU's greeting")?;
        qmp.ask("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    pub(super) fn ask(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let message = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream, "{message}")
            .with_context(|| format!("QEMU is gone: send `{command}`"))?;
        let answer = self
            .answer()
            .with_context(|| format!("QEMU's answer to `{command}`"))?;
        if let Some(error) = answer.get("error") {
            bail!("QEMU refuses `{command}`: {error}");
        }
        Ok(answer["return"].clone())
    }

    fn answer(&self) -> Result<Value> {
        self.answers
            .recv_timeout(LIMIT)
            .with_context(|| format!("no answer within {} s, or QEMU has ended", LIMIT.as_secs()))
    }
}

/// Each forwarded port of the guest with the host's port, from HMP's `info usernet`:
/// `  TCP[HOST_FORWARD]  12  127.0.0.1 41435  10.0.2.15  2375  0  0`.
pub(super) fn forwards(table: &str) -> Vec<(u16, u16)> {
    table
        .lines()
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            match columns[..] {
                ["TCP[HOST_FORWARD]", _, _, host, _, guest, ..] => {
                    Some((guest.parse().ok()?, host.parse().ok()?))
                }
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_ports_are_read_from_the_table() {
        let table = "Hub 0 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                     TCP[HOST_FORWARD]  12       127.0.0.1 41435       10.0.2.15  2375     0     0\r\n  \
                     TCP[ESTABLISHED]   14       127.0.0.1 41436       10.0.2.15  2375     0     0\r\n";
        assert_eq!(forwards(table), [(2375, 41435)]);
    }
}
