//! System calls, the processor's counter, and text: all that the programs of `cargo qemu bench` need, without a libc, so that
//! a program's own start costs nothing.
//!
//! Under `-icount shift=0` the counter counts instructions: one a nanosecond of the guest's time.
#![no_std]

#[path = "../../../src/memory.rs"] // the functions of the program that it measures
mod memory;
mod start;

use core::{arch::asm, ffi::CStr};
use linux_raw_sys::general::*;

/// Where `start` leaves the counter's value for `daemon`.
pub const BEGAN: &CStr = c"/bench/began";
/// Where both mount a /proc of their own for a moment.
pub const PROC: &CStr = c"/bench/proc";
/// Begins every line that the harness reads.
pub const SAYS: &[u8] = b"bench: ";

/// The processor's counter.
pub fn counter() -> u64 {
    // SAFETY: it reads a register.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A system call.
///
/// # Safety
/// The arguments are what this call takes; memory that it reads or writes stays valid during it.
pub unsafe fn call(number: u32, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result: isize;
    // SAFETY: the caller's; the kernel clobbers only rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointers.
        unsafe { call(__NR_exit_group, [status.into(), 0, 0, 0, 0]) };
    }
}

/// A descriptor, or the negative errno.
pub fn open(path: &CStr, flags: u32, mode: u32) -> isize {
    let (path, flags, mode) = (path.as_ptr().addr(), flags as usize, mode as usize);
    // SAFETY: the path ends with NUL.
    unsafe { call(__NR_open, [path, flags, mode, 0, 0]) }
}

pub fn close(file: usize) {
    // SAFETY: no pointers.
    unsafe { call(__NR_close, [file, 0, 0, 0, 0]) };
}

pub fn read(file: usize, to: &mut [u8]) -> usize {
    // SAFETY: the buffer has this length.
    let length = unsafe { call(__NR_read, [file, to.as_mut_ptr().addr(), to.len(), 0, 0]) };
    length.max(0).cast_unsigned()
}

pub fn write(file: usize, bytes: &[u8]) {
    // SAFETY: the kernel reads the bytes.
    unsafe { call(__NR_write, [file, bytes.as_ptr().addr(), bytes.len(), 0, 0]) };
}

/// Writes at the file's beginning.
pub fn write_at_start(file: usize, bytes: &[u8]) {
    // SAFETY: the kernel reads the bytes.
    unsafe {
        call(
            __NR_pwrite64,
            [file, bytes.as_ptr().addr(), bytes.len(), 0, 0],
        )
    };
}

/// All that a file holds, as far as the buffer reaches; nothing if it cannot be opened.
pub fn contents<'b>(path: &CStr, buffer: &'b mut [u8]) -> &'b [u8] {
    let file = open(path, O_RDONLY, 0);
    if file < 0 {
        return b"";
    }
    let mut length = 0;
    loop {
        let more = read(file.cast_unsigned(), &mut buffer[length..]);
        if more == 0 {
            close(file.cast_unsigned());
            return &buffer[..length];
        }
        length += more;
    }
}

pub fn sleep(milliseconds: u32) {
    let time = [
        i64::from(milliseconds / 1000),
        i64::from(milliseconds % 1000) * 1_000_000,
    ];
    // SAFETY: a timespec.
    unsafe { call(__NR_nanosleep, [time.as_ptr().addr(), 0, 0, 0, 0]) };
}

/// A clock's nanoseconds.
pub fn clock(which: u32) -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: a timespec.
    unsafe {
        call(
            __NR_clock_gettime,
            [which as usize, time.as_mut_ptr().addr(), 0, 0, 0],
        )
    };
    time[0] * 1_000_000_000 + time[1]
}

/// Mounts /proc at [`PROC`]; PID 1 may start without one.
pub fn mount_proc() {
    let kind = c"proc".as_ptr().addr();
    let at = PROC.as_ptr().addr();
    // SAFETY: the paths end with NUL.
    unsafe {
        call(__NR_mkdir, [at, 0o755, 0, 0, 0]);
        call(__NR_mount, [kind, at, kind, 0, 0]);
    }
}

pub fn unmount_proc() {
    // SAFETY: the path ends with NUL.
    unsafe { call(__NR_umount2, [PROC.as_ptr().addr(), 0, 0, 0, 0]) };
}

/// A line for the harness, on standard output.
pub fn say(name: &str, numbers: &[u64]) {
    let mut line = Line::default();
    line.push(SAYS);
    line.push(name.as_bytes());
    for number in numbers {
        line.push(b" ");
        line.number(*number);
    }
    line.push(b"\n");
    write(1, &line.bytes[..line.length]);
}

struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; 256],
            length: 0,
        }
    }
}

impl Line {
    fn push(&mut self, more: &[u8]) {
        for byte in more {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = *byte;
                self.length += 1;
            }
        }
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }
}
