//! Counts the system calls of PID 1 and its children, from the execution of PID 1 to that of dockerd: `count-calls` prints
//! `bench: calls ALL FAILED` on standard output.

use std::fs;

use nix::{
    libc::{PTRACE_EVENT_EXEC, PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_EXIT},
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::container::{let_pid_1_go, see_pid_1};

const DAEMON: &str = "dockerd\n";

pub(crate) fn count() {
    match counted() {
        Ok([all, failed]) => println!("bench: calls {all} {failed}"),
        Err(error) => println!("bench: counting calls: {error}"),
    }
}

fn counted() -> nix::Result<[u64; 2]> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    see_pid_1()?;
    ptrace::seize(Pid::from_raw(1), options)?;
    ptrace::interrupt(Pid::from_raw(1))?;
    let (mut all, mut failed, mut counting) = (0, 0, false);
    let mut ours = true;
    loop {
        let status = waitpid(None, Some(WaitPidFlag::__WALL))?;
        let mut signal = None;
        match status {
            WaitStatus::PtraceSyscall(pid) => {
                let op = operation(pid)?;
                match op {
                    Operation::Entry if counting => all += 1,
                    Operation::Failed if counting => failed += 1,
                    _ => {}
                }
            }
            WaitStatus::PtraceEvent(pid, _, PTRACE_EVENT_EXEC) => {
                let name = fs::read_to_string(format!("../{pid}/comm")).unwrap_or_default();
                if name == DAEMON {
                    return Ok([all, failed]);
                }
                counting = true;
            }
            // A new child stops so, and PID 1 itself after the interruption.
            WaitStatus::PtraceEvent(_, Signal::SIGTRAP, _) => {}
            WaitStatus::Stopped(_, other) => signal = Some(other),
            _ => {}
        }
        if let Some(pid) = status.pid()
            && !matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
        {
            // It may have been killed meanwhile.
            let _ = ptrace::syscall(pid, signal);
        }
        if std::mem::take(&mut ours) {
            let_pid_1_go();
        }
    }
}

enum Operation {
    Entry,
    Failed,
    Other,
}

/// Where in a system call the process has stopped.
fn operation(pid: Pid) -> nix::Result<Operation> {
    let info = ptrace::syscall_info(pid)?;
    Ok(match info.op {
        PTRACE_SYSCALL_INFO_ENTRY => Operation::Entry,
        // SAFETY: the kernel has filled the part of an exit.
        PTRACE_SYSCALL_INFO_EXIT if unsafe { info.u.exit.is_error } != 0 => Operation::Failed,
        _ => Operation::Other,
    })
}
