//! Ten thousand orphans at one moment: a process ends without waiting for its children, which have all ended, so PID 1 has to reap
//! them. The kernel sends one SIGCHLD for all of them.

use std::{
    fs,
    process::exit,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    libc::SIGCHLD,
    sched::{CloneFlags, clone},
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};

use crate::port::say;

/// A guest with half a GiB allows at most four thousand threads, zombies included.
const THREADS: (&str, &str) = ("/proc/sys/kernel/threads-max", "60000");
/// How long PID 1 may take for all of them. Emulated, it takes a second.
const LIMIT: Duration = Duration::from_secs(60);
/// How often to look: there is no notice when another process reaps a zombie.
const LOOK: Duration = Duration::from_millis(50);
/// How many kernel threads may start meanwhile.
const FEW: u32 = 100;
/// The stack of a child, which ends immediately.
const STACK: usize = 16 << 10;

pub(crate) fn make(count: &str) {
    if let Err(error) = fs::write(THREADS.0, THREADS.1) {
        say(&format!("{}: {error}", THREADS.0));
    }
    let (before, at_first) = (processes(), tasks());
    let count = count.parse().unwrap_or_default();
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => _ = waitpid(child, None),
        Ok(ForkResult::Child) => {
            let mut stack = [0; STACK];
            let made = (0..count).take_while(|_| begin_and_end(&mut stack)).count();
            say(&format!("{made} orphans"));
            exit(0);
        }
        Err(error) => say(&format!("fork: {error}")),
    }
    let start = Instant::now();
    // The kernel's count first, because it is cheap to read.
    while (tasks() > at_first + FEW || processes() != before) && start.elapsed() < LIMIT {
        sleep(LOOK);
    }
    let (all, zombies) = processes();
    let more = all.saturating_sub(before.0);
    say(&format!(
        "{zombies} zombies, {more} processes more than before"
    ));
}

/// As vfork(2): the child uses the parent's memory, and the parent goes on when the child has ended.
fn begin_and_end(stack: &mut [u8]) -> bool {
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: the child runs on a stack of its own, touches nothing, and ends before the parent goes on.
    match unsafe { clone(Box::new(|| 0), stack, flags, Some(SIGCHLD)) } {
        Ok(_) => true,
        Err(error) => {
            say(&format!("clone: {error}"));
            false
        }
    }
}

/// Everything that the kernel counts as a thread, kernel threads and zombies included: `0.00 0.00 0.00 1/57 1234`.
fn tasks() -> u32 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = load.split(' ').nth(3).unwrap_or_default();
    let total = field.split_once('/').unwrap_or_default().1;
    total.parse().unwrap_or_default()
}

/// All processes but kernel threads, and the zombies among them: in /proc/PID/stat, after the name in parentheses, the first field of
/// a zombie is `Z`, and the seventh one marks a kernel thread.
fn processes() -> (usize, usize) {
    const KERNEL_THREAD: u32 = 0x0020_0000;
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let (mut all, mut zombies) = (0, 0);
    for stat in stats {
        let fields: Vec<&str> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let flags = fields.get(6).and_then(|flags| flags.parse::<u32>().ok());
        if flags.unwrap_or_default() & KERNEL_THREAD == 0 {
            all += 1;
            zombies += usize::from(fields.first() == Some(&"Z"));
        }
    }
    (all, zombies)
}
