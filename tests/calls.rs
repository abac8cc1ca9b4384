//! The system calls by which a launch changes files below /etc, seen one by one with ptrace(2). A test sees their order, lets
//! one of them fail, or kills the launch before one.

use crate::{root::Root, running::Start};
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        stat::Mode,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, mkfifo},
};
use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

const GO: &str = "/go";

/// The stand-in that becomes dockerlaunch as soon as the test allows it.
pub(crate) fn held() -> ExitCode {
    fs::read(GO).unwrap();
    panic!(
        "{}",
        Command::new("/usr/bin/dockerlaunch")
            .args(std::env::args_os().skip(1))
            .exec()
    )
}

/// A root with what the stand-in needs before the launch makes the layout.
pub(crate) fn root() -> Root {
    let root = Root::new();
    root.stand_in("/usr/bin/held").loader();
    mkfifo(&root.path(GO), Mode::S_IRWXU).unwrap();
    root
}

/// What happens to a launch.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    Nothing,
    /// It is killed before the call with this number.
    Killed(usize),
    /// The kernel refuses this call.
    Refused(&'static str, Errno),
}

/// The calls by which a launch changes files below /etc, until it becomes the daemon or is killed.
pub(crate) fn trace(start: Start<'_>, fate: Fate) -> Vec<String> {
    traced(start, fate).0
}

/// The same calls, and the log.
pub(crate) fn traced(start: Start<'_>, fate: Fate) -> (Vec<String>, String) {
    let root = start.root;
    let running = start.program("/usr/bin/held").started();
    // It sleeps when it opens the pipe. Before that, it may still be in the exec that the tracer must not count.
    running.until("held", |running| running.proc("stat").contains("(held) S "));
    let pid = Pid::from_raw(running.pid);
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC;
    ptrace::seize(pid, options).expect("ptrace is permitted");
    drop(fs::File::options().write(true).open(root.path(GO)).unwrap());
    let (mut calls, mut execs, mut inside, mut failing) = (Vec::new(), 0, false, None);
    loop {
        let mut pass = None;
        match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::PtraceEvent(..) if execs == 1 => {
                ptrace::detach(pid, None).unwrap();
                return (calls, running.log());
            }
            WaitStatus::PtraceEvent(..) => (execs, inside) = (1, true),
            WaitStatus::PtraceSyscall(_) => {
                inside = !inside;
                let call = inside.then(|| described(pid)).flatten();
                if let (Fate::Refused(refused, errno), Some(call)) = (fate, &call)
                    && call == refused
                {
                    failing = Some(errno);
                    set(pid, |registers| registers.orig_rax = u64::MAX);
                } else if !inside && let Some(errno) = failing.take() {
                    let answer = i64::from(-(errno as i32)).cast_unsigned();
                    set(pid, |registers| registers.rax = answer);
                }
                if let Fate::Killed(place) = fate
                    && call.is_some()
                    && calls.len() == place
                {
                    kill(pid, Signal::SIGKILL).unwrap();
                    // The tracer learns of the end first; the parent learns of it only after that.
                    while !matches!(
                        waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap(),
                        WaitStatus::Signaled(..)
                    ) {}
                    return (calls, running.log());
                }
                calls.extend(call);
            }
            WaitStatus::Stopped(_, signal) => pass = Some(signal),
            other => panic!("{other:?}: {}", running.log()),
        }
        ptrace::syscall(pid, pass).unwrap();
    }
}

fn set(pid: Pid, change: impl FnOnce(&mut nix::libc::user_regs_struct)) {
    let mut registers = ptrace::getregs(pid).unwrap();
    change(&mut registers);
    ptrace::setregs(pid, registers).unwrap();
}

fn described(pid: Pid) -> Option<String> {
    use nix::libc::{
        SYS_fsync, SYS_renameat, SYS_renameat2, SYS_sendfile, SYS_syncfs, SYS_unlinkat, SYS_write,
    };
    let registers = ptrace::getregs(pid).unwrap();
    let open = |number: u64| {
        let link = fs::read_link(format!("/proc/{pid}/fd/{number}")).ok()?;
        Some(link.to_str()?.to_string())
    };
    let place = |number: u64, name: u64| Some(format!("{}/{}", open(number)?, text(pid, name)));
    let one = |what: &str, path: Option<String>| Some(format!("{what} {}", path?));
    let number = registers.orig_rax.cast_signed();
    #[expect(non_upper_case_globals, reason = "the kernel's names")]
    let call = match number {
        SYS_write | SYS_sendfile => one("write", open(registers.rdi)),
        SYS_fsync => one("fsync", open(registers.rdi)),
        SYS_syncfs => one("syncfs", open(registers.rdi)),
        SYS_unlinkat => one("unlink", place(registers.rdi, registers.rsi)),
        SYS_renameat | SYS_renameat2 => one("rename", place(registers.rdx, registers.r10)),
        _ => None,
    };
    call.filter(|call| call.contains(" /etc"))
}

fn text(pid: Pid, mut address: u64) -> String {
    let mut bytes = Vec::new();
    loop {
        let word = ptrace::read(pid, address as ptrace::AddressType).unwrap();
        for byte in word.to_ne_bytes() {
            if byte == 0 {
                return String::from_utf8(bytes).unwrap();
            }
            bytes.push(byte);
        }
        address += 8;
    }
}
