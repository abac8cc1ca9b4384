//! System calls of PID 1 that fail as a test asks: ptrace(2) skips the call and returns an errno instead.

use nix::{
    libc,
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

/// Which calls fail.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The number of the call; `None`: any that takes the path.
    pub(crate) call: Option<i64>,
    /// The path, or the name in a directory, as PID 1 passes it; `None`: any.
    pub(crate) path: Option<String>,
    pub(crate) errno: i32,
    /// How many calls succeed before the first failure.
    pub(crate) after: u32,
    /// How many calls fail before they succeed again.
    pub(crate) times: u32,
}

impl Fault {
    pub(crate) fn at(path: &str, errno: i32) -> Self {
        Self {
            call: None,
            path: Some(path.into()),
            errno,
            after: 0,
            times: u32::MAX,
        }
    }

    pub(crate) fn of(call: i64, errno: i32) -> Self {
        Self {
            call: Some(call),
            path: None,
            errno,
            after: 0,
            times: u32::MAX,
        }
    }

    fn is_met(&self, process: Pid, call: i64, arguments: [u64; 2]) -> bool {
        let path = match call {
            libc::SYS_open | libc::SYS_stat | libc::SYS_access => arguments[0],
            libc::SYS_openat
            | libc::SYS_openat2
            | libc::SYS_newfstatat
            | libc::SYS_statx
            | libc::SYS_faccessat
            | libc::SYS_faccessat2
            | libc::SYS_readlinkat => arguments[1],
            libc::SYS_mount | libc::SYS_pivot_root => arguments[0],
            _ => 0,
        };
        self.times > 0
            && self.call.is_none_or(|own| own == call)
            && self.path.as_ref().is_none_or(|own| {
                path != 0 && string(process, path).as_deref() == Some(own.as_bytes())
            })
    }
}

/// The string at an address of another process, up to its NUL. The machine's /proc is no longer visible here.
fn string(process: Pid, at: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for place in (at..).step_by(8) {
        let word = ptrace::read(process, place as ptrace::AddressType).ok()?;
        for byte in word.to_ne_bytes() {
            if byte == 0 {
                return Some(text);
            }
            text.push(byte);
        }
    }
    None
}

/// The process itself calls this before it becomes the program.
pub(crate) fn be_traced() {
    ptrace::traceme().unwrap();
}

/// Lets the process run to its end and returns its exit status.
pub(crate) fn trace(process: u32, mut faults: Vec<Fault>) -> i32 {
    let process = Pid::from_raw(process.cast_signed());
    // It stops when it becomes the program.
    assert!(matches!(
        waitpid(process, None).unwrap(),
        WaitStatus::Stopped(..)
    ));
    ptrace::setoptions(
        process,
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXEC,
    )
    .unwrap();
    let (mut signal, mut skipped, mut inside) = (None, None, false);
    loop {
        // A process that was killed while it was stopped has ended; waitpid reports that.
        let _ = ptrace::syscall(process, signal.take());
        match waitpid(process, None).unwrap() {
            WaitStatus::PtraceSyscall(_) => {
                inside = !inside;
                let Ok(mut registers) = ptrace::getregs(process) else {
                    continue;
                };
                if inside {
                    let call = registers.orig_rax.cast_signed();
                    let arguments = [registers.rdi, registers.rsi];
                    let mut faults = faults.iter_mut();
                    let Some(fault) = faults.find(|fault| fault.is_met(process, call, arguments))
                    else {
                        continue;
                    };
                    if fault.after > 0 {
                        fault.after -= 1;
                        continue;
                    }
                    fault.times -= 1;
                    skipped = Some(fault.errno);
                    registers.orig_rax = u64::MAX;
                } else if let Some(errno) = skipped.take() {
                    registers.rax = i64::from(-errno).cast_unsigned();
                } else {
                    continue;
                }
                let _ = ptrace::setregs(process, registers);
            }
            WaitStatus::Exited(_, status) => return status,
            WaitStatus::Signaled(_, signal, _) => return 128 + signal as i32,
            WaitStatus::Stopped(_, stopped) if stopped != Signal::SIGTRAP => signal = Some(stopped),
            _ => {}
        }
    }
}
