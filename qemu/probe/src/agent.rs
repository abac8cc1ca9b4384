//! The agent in a guest with a real engine. It reads lines from the second serial port, each with a number and a shell command, runs
//! the commands one after the other, and answers with the status and the output.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::Command,
};

use probe::Answer;

use crate::port;

pub(crate) fn serve() {
    let port = match port::open() {
        Ok(port) => port,
        Err(error) => return eprintln!("probe: the agent's port: {error}"),
    };
    port::say("agent");
    for line in BufReader::new(port).lines().map_while(Result::ok) {
        let Some((number, command)) = line.split_once(' ') else {
            continue;
        };
        let (status, output) = run(command);
        let answer = Answer {
            number: number.parse().unwrap_or_default(),
            status,
            output,
        };
        match probe::frame(&answer) {
            Ok(frame) => port::send(&frame),
            Err(error) => port::say(&format!("answer: {error}")),
        }
    }
}

fn run(command: &str) -> (i32, String) {
    match Command::new("/bin/sh").args(["-c", command]).output() {
        Ok(output) => {
            let status = output.status;
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            let written = [output.stdout, output.stderr].concat();
            (
                code.unwrap_or(-1),
                String::from_utf8_lossy(&written).into_owned(),
            )
        }
        Err(error) => (-1, format!("/bin/sh: {error}")),
    }
}
