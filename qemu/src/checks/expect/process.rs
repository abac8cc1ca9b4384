//! The daemon's process: its environment, its fields, and its descriptors.

use anyhow::{Result, bail};

use crate::checks::seen::{Seen, same, texts};

pub(super) fn environment(seen: &Seen, expected: &[&str]) -> Result<()> {
    let found: Vec<String> = seen
        .report()?
        .process
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    same("the environment", texts(&found), expected.to_vec())
}

pub(super) fn field(seen: &Seen, field: &str) -> Result<String> {
    let process = &seen.report()?.process;
    if process.pid == 0 {
        bail!("the probe reported nothing of its process");
    }
    Ok(match field {
        "pid" => process.pid.to_string(),
        "parent" => process.parent.to_string(),
        "session" => own(process.session, process),
        "listen-pid" => own(listen_pid(process), process),
        "directory" => process.working_directory.clone(),
        "umask" => process.umask.clone(),
        "blocked" => process.blocked.clone(),
        "ignored" => process.ignored.clone(),
        "oom_score_adj" => process.oom_score_adj.clone(),
        "others" => process.others.join(" "),
        _ => bail!("the table asks for `{field}`, which is no field of a process"),
    })
}

/// `own` if the number is the process's own pid.
fn own(number: u32, process: &probe::Process) -> String {
    if number == process.pid {
        "own".into()
    } else {
        number.to_string()
    }
}

fn listen_pid(process: &probe::Process) -> u32 {
    let value = process.environment.get("LISTEN_PID");
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

pub(super) fn descriptors(seen: &Seen, expected: &[(u32, &str)]) -> Result<()> {
    let open = &seen.report()?.descriptors;
    let found: Vec<(u32, &str)> = open
        .iter()
        .map(|(number, open)| (*number, open.target.as_str()))
        .collect();
    let fits = |((number, target), (wanted, prefix)): (&(u32, &str), &(u32, &str))| {
        number == wanted && target.starts_with(prefix)
    };
    if found.len() != expected.len() || !found.iter().zip(expected).all(fits) {
        bail!("the open descriptors are {found:?}, expected {expected:?}");
    }
    Ok(())
}

pub(super) fn listens(seen: &Seen, number: u32, path: &str) -> Result<()> {
    let descriptor = seen.report()?.descriptors.get(&number);
    let listens_on = descriptor.and_then(|descriptor| descriptor.listens_on.as_deref());
    same(&format!("descriptor {number}"), listens_on, Some(path))?;
    same(
        "close-on-exec",
        descriptor.is_some_and(|descriptor| descriptor.close_on_exec),
        false,
    )
}
