//! Ten thousand orphans at one moment: a process that waits for none of its children ends, and all of them, ended already, are
//! PID 1's to reap. The kernel says so with one SIGCHLD, however many they are.

use std::{
    fs,
    process::exit,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::wait::waitpid,
    unistd::{ForkResult, fork},
};

use crate::port::say;

/// A guest of half a GiB lets no more than four thousand threads live, and a zombie counts.
const THREADS: (&str, &str) = ("/proc/sys/kernel/threads-max", "60000");
/// How long PID 1 may take for all of them. It takes a second, emulated.
const LIMIT: Duration = Duration::from_secs(60);
/// Nobody is told that another's zombie was reaped: this looks from time to time.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn make(count: &str) {
    if let Err(error) = fs::write(THREADS.0, THREADS.1) {
        say(&format!("{}: {error}", THREADS.0));
    }
    let before = processes().0;
    let count = count.parse().unwrap_or_default();
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => _ = waitpid(child, None),
        Ok(ForkResult::Child) => {
            let made = (0..count).take_while(|_| fork_and_end()).count();
            say(&format!("{made} orphans, {} zombies", processes().1));
            exit(0);
        }
        Err(error) => say(&format!("fork: {error}")),
    }
    let start = Instant::now();
    while processes() != (before, 0) && start.elapsed() < LIMIT {
        sleep(LOOK);
    }
    let (after, zombies) = processes();
    say(&format!(
        "{zombies} zombies left, {} processes more",
        after.saturating_sub(before)
    ));
}

fn fork_and_end() -> bool {
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { .. }) => true,
        Ok(ForkResult::Child) => exit(0),
        Err(error) => {
            say(&format!("fork: {error}"));
            false
        }
    }
}

/// All that are no kernel threads, and the zombies among them: the third field of /proc/PID/stat, behind the name in its
/// parentheses, is `Z`; the ninth tells a kernel thread.
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
        let flags: u32 = fields
            .get(6)
            .and_then(|flags| flags.parse().ok())
            .unwrap_or_default();
        if flags & KERNEL_THREAD == 0 {
            all += 1;
            zombies += usize::from(fields.first() == Some(&"Z"));
        }
    }
    (all, zombies)
}
