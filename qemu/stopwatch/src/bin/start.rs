//! PID 1 before the one that is measured. The kernel's word `bench.row=N` names the file /bench/rows/N: what to start beside
//! PID 1, PID 1's arguments, and its environment, each a list of strings that end with NUL, each list ended by an empty string.
//! It waits until the kernel has come to rest if the file's first byte is `r`, notes the counter in /bench/began, and executes PID 1.
#![no_std]
#![no_main]

use core::ffi::CStr;
use linux_raw_sys::general::*;
use stopwatch::{
    BEGAN, call, clock, contents, counter, exit, mount_proc, open, read, say, sleep, unmount_proc,
    write_at_start,
};

const WORD: &[u8] = b"bench.row=";
const ROWS: &[u8] = b"/bench/rows/";
const REST: u32 = 200;
/// The kernel's tick is some power of two of microseconds or 4 ms: a measurement begins at the same place in it.
const TICK: u64 = 4_000_000;

type List = [usize; 40];

#[unsafe(no_mangle)]
extern "C" fn main(_: u64, _: *const usize) -> ! {
    let mut line = [0; 2048];
    mount_proc();
    let line = contents(c"/bench/proc/cmdline", &mut line);
    unmount_proc();
    let mut path = [0; 128];
    // Its last byte stays NUL.
    for (place, byte) in path[..127].iter_mut().zip(ROWS.iter().chain(word(line))) {
        *place = *byte;
    }
    let mut row = [0; 4096];
    let row = contents(
        CStr::from_bytes_until_nul(&path).unwrap_or_default(),
        &mut row,
    );
    let Some((rests, rest)) = row.split_first() else {
        say("there is no such row", &[]);
        exit(1);
    };
    let (beside, rest) = list(rest);
    let (arguments, rest) = list(rest);
    let (environment, _) = list(rest);
    if beside[0] != 0 {
        start_beside(&beside, &environment);
    }
    let began = open(BEGAN, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644).cast_unsigned();
    write_at_start(began, &[0; 8]);
    say("clocks", &[clock(CLOCK_BOOTTIME), clock(CLOCK_REALTIME)]);
    if *rests == b'r' {
        sleep(REST);
        let tick = counter() / TICK + 2;
        while counter() / TICK < tick {}
    }
    write_at_start(began, &counter().to_le_bytes());
    execute(&arguments, &environment)
}

fn word(line: &[u8]) -> &[u8] {
    let mut words = line.split(u8::is_ascii_whitespace);
    words
        .find_map(|word| word.strip_prefix(WORD))
        .unwrap_or_default()
}

/// The addresses of the strings of a list, and what follows the list.
fn list(bytes: &[u8]) -> (List, &[u8]) {
    let mut list: List = [0; 40];
    let (mut rest, mut count) = (bytes, 0);
    while let Ok(text) = CStr::from_bytes_until_nul(rest) {
        rest = &rest[text.count_bytes() + 1..];
        if text.is_empty() {
            break;
        }
        list[count] = text.as_ptr().addr();
        count += 1;
    }
    (list, rest)
}

/// Starts a child, and waits until it has written to descriptor 3, or closed it.
fn start_beside(arguments: &List, environment: &List) {
    let mut ends = [0_u32; 2];
    // SAFETY: the kernel writes two descriptors.
    let child = unsafe {
        call(__NR_pipe2, [ends.as_mut_ptr().addr(), 0, 0, 0, 0]);
        call(__NR_fork, [0; 5])
    };
    let [from, to] = ends.map(|end| end as usize);
    if child == 0 {
        // SAFETY: no pointers.
        unsafe {
            if to != 3 {
                call(__NR_dup2, [to, 3, 0, 0, 0]);
                stopwatch::close(to);
            }
            if from != 3 {
                stopwatch::close(from);
            }
        }
        execute(arguments, environment);
    }
    stopwatch::close(to);
    read(from, &mut [0]);
    stopwatch::close(from);
}

fn execute(arguments: &List, environment: &List) -> ! {
    // SAFETY: both are arrays of strings that end with NUL, ended by a null pointer.
    let errno = unsafe {
        call(
            __NR_execve,
            [
                arguments[0],
                arguments.as_ptr().addr(),
                environment.as_ptr().addr(),
                0,
                0,
            ],
        )
    };
    say("cannot be executed: errno", &[errno.unsigned_abs() as u64]);
    exit(1)
}
