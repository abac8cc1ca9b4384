//! A tracer (ptrace(2)) of a running program: a test sees each system call before the kernel does, and can make it fail or do
//! something else at that moment.

use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Event, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    thread::sleep,
    time::{Duration, Instant},
};

/// A system call that is about to happen.
pub(crate) struct Call {
    pid: Pid,
    /// 0 for the first process, 1 for its first child since the trace began, and so on.
    pub(crate) process: usize,
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
}

impl Call {
    /// The string that an argument points to.
    pub(crate) fn string(&self, argument: usize) -> Vec<u8> {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).unwrap();
        let (mut string, mut byte) = (Vec::new(), [0]);
        while memory
            .read_at(&mut byte, self.arguments[argument] + string.len() as u64)
            .is_ok_and(|length| length == 1 && byte != [0])
        {
            string.push(byte[0]);
        }
        string
    }
}

/// What happens at a call.
pub(crate) enum Then {
    GoOn,
    /// The kernel does not execute it; the program sees this errno.
    Fail(Errno),
    /// The process is killed before the call.
    Kill,
    /// The process never gets to the call, as if the kernel did not return; only SIGKILL ends it.
    Hang,
    /// The trace ends here.
    Leave,
}

struct Process {
    pid: Pid,
    /// The errno for the current call, between its two stops.
    failing: Option<Errno>,
    inside: bool,
    alive: bool,
}

impl Process {
    fn new(pid: Pid) -> Self {
        Self {
            pid,
            failing: None,
            inside: false,
            alive: true,
        }
    }
}

/// Traces a process, and with `follow` its children, until it has ended or a call is answered with [`Then::Leave`].
/// `begun` runs once it is traced. Panics after a minute.
pub(crate) fn trace(
    pid: i32,
    follow: bool,
    begun: impl FnOnce(),
    mut each: impl FnMut(&Call) -> Then,
) {
    let mut options = Options::PTRACE_O_TRACESYSGOOD;
    if follow {
        options |= Options::PTRACE_O_TRACEFORK;
    }
    let first = Pid::from_raw(pid);
    ptrace::seize(first, options).expect("ptrace is permitted");
    ptrace::interrupt(first).unwrap();
    let mut all = vec![Process::new(first)];
    let mut begun = Some(begun);
    let limit = Instant::now() + Duration::from_secs(60);
    while all[0].alive {
        let mut idle = true;
        for place in 0..all.len() {
            let process = &mut all[place];
            if !process.alive {
                continue;
            }
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
            let status = match waitpid(process.pid, Some(flags)) {
                Ok(WaitStatus::StillAlive) => continue,
                Ok(status) => status,
                Err(_) => {
                    process.alive = false;
                    continue;
                }
            };
            idle = false;
            let mut pass = None;
            match status {
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                    process.alive = false;
                    continue;
                }
                WaitStatus::PtraceSyscall(_) => match at_call(place, process, &mut each) {
                    Then::Kill => {
                        let _ = kill(process.pid, Signal::SIGKILL);
                        continue;
                    }
                    Then::Hang => continue,
                    Then::Leave => {
                        leave(&all, place);
                        return;
                    }
                    _ => {}
                },
                WaitStatus::PtraceEvent(_, _, event) => {
                    if event == Event::PTRACE_EVENT_FORK as i32 {
                        let child = ptrace::getevent(process.pid).unwrap();
                        all.push(Process::new(Pid::from_raw(child.try_into().unwrap())));
                    } else if let Some(begun) = begun.take() {
                        begun();
                    }
                }
                WaitStatus::Stopped(_, signal) => pass = Some(signal),
                _ => {}
            }
            let _ = ptrace::syscall(all[place].pid, pass);
        }
        if idle {
            assert!(Instant::now() < limit, "the program makes no further call");
            sleep(Duration::from_micros(20));
        }
    }
}

/// The stop at the beginning or the end of a call.
fn at_call(place: usize, process: &mut Process, each: &mut impl FnMut(&Call) -> Then) -> Then {
    process.inside = !process.inside;
    let Ok(mut registers) = ptrace::getregs(process.pid) else {
        return Then::GoOn;
    };
    if !process.inside {
        if let Some(errno) = process.failing.take() {
            registers.rax = i64::from(-(errno as i32)).cast_unsigned();
            ptrace::setregs(process.pid, registers).unwrap();
        }
        return Then::GoOn;
    }
    let then = each(&Call {
        pid: process.pid,
        process: place,
        number: registers.orig_rax.cast_signed(),
        arguments: [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ],
    });
    if let Then::Fail(errno) = then {
        process.failing = Some(errno);
        registers.orig_rax = u64::MAX;
        ptrace::setregs(process.pid, registers).unwrap();
    }
    then
}

/// Resumes the process that is stopped; the others must be stopped first.
fn leave(all: &[Process], stopped: usize) {
    let _ = ptrace::detach(all[stopped].pid, None);
    for (place, process) in all.iter().enumerate() {
        if place != stopped && process.alive && ptrace::interrupt(process.pid).is_ok() {
            let _ = waitpid(process.pid, Some(WaitPidFlag::__WALL));
            let _ = ptrace::detach(process.pid, None);
        }
    }
}
