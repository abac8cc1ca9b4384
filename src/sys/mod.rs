//! The system calls and descriptors that rustix does not offer, or not safely: the only unsafe code of the library.
//!
//! Each function here is safe to call with any arguments; what makes it so is said where it is not plain.
#![allow(unsafe_code)] // System calls by number, and descriptors by number, cannot be written without it.

use core::{
    arch::asm,
    ffi::{CStr, c_char},
};
pub(crate) use exec::{ExecArray, execve};
use linux_raw_sys::general::{
    __NR_clock_gettime, __NR_clock_settime, __NR_close_range, __NR_dup3, __NR_exit_group,
    __NR_fork, __NR_getdents64, __NR_swapoff, CLOCK_BOOTTIME, CLOCK_REALTIME,
};
use rustix::{
    fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd},
    io::{Errno, FdFlags, fcntl_setfd},
    process::Pid,
    thread::{UnshareFlags, unshare_unsafe},
};
#[cfg(feature = "supervise")]
pub(crate) use supervising::*;

#[cfg(feature = "state")]
use linux_raw_sys::general::__NR_ioctl;

/// Strings that somebody else keeps, to be walked again and again: a slice, or an array as the kernel makes it for a program.
/// What steps through them are copies.
#[derive(Clone, Copy)]
pub struct Strings<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Slice(&'a [&'a CStr]),
    /// Ends with a null pointer.
    Array(*const *const c_char),
}

impl<'a> From<&'a [&'a CStr]> for Strings<'a> {
    fn from(slice: &'a [&'a CStr]) -> Self {
        Self(Source::Slice(slice))
    }
}

impl<'a, const N: usize> From<&'a [&'a CStr; N]> for Strings<'a> {
    fn from(array: &'a [&'a CStr; N]) -> Self {
        Self(Source::Slice(array))
    }
}

impl Strings<'static> {
    /// # Safety
    /// The array ends with a null pointer; it and its strings, which end with NUL, live and stay as long as the process.
    pub const unsafe fn from_array(array: *const *const c_char) -> Self {
        Self(Source::Array(array))
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        match &mut self.0 {
            Source::Slice(slice) => {
                let (first, rest) = slice.split_first()?;
                *slice = rest;
                Some(first)
            }
            Source::Array(array) => {
                // SAFETY: it stands at a place of the array, at the last its null: from_array's caller promised both.
                unsafe {
                    let string = **array;
                    if string.is_null() {
                        return None;
                    }
                    *array = array.add(1);
                    Some(CStr::from_ptr(string))
                }
            }
        }
    }
}

/// A system call by number; what it returns, with errors as rustix has them.
///
/// # Safety
/// As the system call itself.
unsafe fn call(number: u32, [a, b, c, d, e]: [usize; 5]) -> Result<usize, Errno> {
    let returned: isize;
    // SAFETY: the kernel clobbers rcx and r11 only; the rest is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => returned, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    match returned {
        -4095..0 => Err(Errno::from_raw_os_error(-returned as i32)),
        _ => Ok(returned as usize),
    }
}

/// `fork(2)`: the child's pid, or `None` in the child. The caller is single-threaded, as `launch` asks for: memory is
/// copied, and no lock can be held by a thread that the child lacks.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: no pointer; the child has its own copy of all memory.
    unsafe { call(__NR_fork, [0; 5]) }.map(|pid| Pid::from_raw(pid as i32))
}

/// `exit_group(2)`, for a forked child that has nothing to clean up.
pub(crate) fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointer, and it does not return.
        let _ = unsafe { call(__NR_exit_group, [usize::from(status), 0, 0, 0, 0]) };
    }
}

/// `close_range(2)`: from `first` on every descriptor ends with the next exec. Linux 5.10 has no such flag: there they
/// are closed at once, which comes to the same when the exec succeeds.
pub(crate) fn close_on_exec_from(first: u32) {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    let from = |flags: u32| {
        // SAFETY: no pointer. An OwnedFd whose descriptor is closed here is only dropped, which nothing checks.
        unsafe {
            call(
                __NR_close_range,
                [first as usize, u32::MAX as usize, flags as usize, 0, 0],
            )
        }
    };
    if from(CLOSE_RANGE_CLOEXEC).is_err() {
        let _ = from(0);
    }
}

/// `dup3(2)` onto a number that need not be open, inherited by the next program.
pub(crate) fn duplicate_to(fd: BorrowedFd<'_>, to: u32) -> Result<(), Errno> {
    // SAFETY: no pointer. What was open at `to` is closed: callers name 0 to 3, which no OwnedFd of ours is.
    unsafe { call(__NR_dup3, [fd.as_raw_fd() as usize, to as usize, 0, 0, 0]) }.map(|_| ())
}

/// Puts a descriptor at a number at which the next program finds it.
pub(crate) fn pass_as(fd: BorrowedFd<'_>, to: u32) -> Result<(), Errno> {
    if fd.as_raw_fd().cast_unsigned() == to {
        // dup3 refuses to put a descriptor onto itself.
        return fcntl_setfd(fd, FdFlags::empty());
    }
    duplicate_to(fd, to)
}

/// A descriptor that others opened: 0 to 2, or the log's. One that is closed gives EBADF and nothing worse.
pub(crate) fn inherited(fd: u32) -> BorrowedFd<'static> {
    // SAFETY: never -1; it is used only in calls that answer EBADF for a closed descriptor.
    unsafe { BorrowedFd::borrow_raw((fd & 0x7fff_ffff).cast_signed()) }
}

/// `unshare(CLONE_NEWNS)`: this process's mounts are its own from here on.
pub(crate) fn own_mounts() -> Result<(), Errno> {
    // SAFETY: the table of descriptors stays shared, which is all that rustix warns of.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
}

/// Keeps a descriptor open for the rest of the process, above 2; its number.
pub(crate) fn keep(fd: OwnedFd) -> u32 {
    fd.into_raw_fd().cast_unsigned()
}

/// Milliseconds since the kernel started: `clock_gettime(CLOCK_BOOTTIME)`. rustix would ask the vDSO through
/// /proc/self/auxv, and PID 1 has no /proc yet.
pub(crate) fn since_boot() -> u64 {
    let [seconds, nanoseconds] = read_clock(CLOCK_BOOTTIME);
    seconds.cast_unsigned() * 1000 + nanoseconds.cast_unsigned() / 1_000_000
}

/// Seconds since 1970: `clock_gettime(CLOCK_REALTIME)`; 0 before.
pub(crate) fn clock() -> u64 {
    let [seconds, _] = read_clock(CLOCK_REALTIME);
    u64::try_from(seconds).unwrap_or(0)
}

fn read_clock(clock: u32) -> [i64; 2] {
    let mut time = [0_i64; 2];
    let words = [clock as usize, time.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes two 64-bit words, a timespec.
    let _ = unsafe { call(__NR_clock_gettime, words) };
    time
}

/// `clock_settime(CLOCK_REALTIME)`.
pub(crate) fn set_clock(seconds: u64) -> Result<(), Errno> {
    let time = [seconds.cast_signed(), 0];
    let words = [CLOCK_REALTIME as usize, time.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads two 64-bit words, a timespec.
    unsafe { call(__NR_clock_settime, words) }.map(|_| ())
}

/// `getdents64(2)`: fills the buffer with linux_dirent64 records and returns those.
pub(crate) fn directory_entries<'b>(
    fd: BorrowedFd<'_>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Errno> {
    // SAFETY: the kernel writes at most the buffer's length into the buffer.
    let length = unsafe {
        call(
            __NR_getdents64,
            [
                fd.as_raw_fd() as usize,
                buffer.as_mut_ptr() as usize,
                buffer.len(),
                0,
                0,
            ],
        )
    }?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// `swapoff(2)`.
pub(crate) fn swap_off(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with NUL.
    unsafe { call(__NR_swapoff, [path.as_ptr() as usize, 0, 0, 0, 0]) }.map(|_| ())
}

/// `ioctl(BTRFS_IOC_SCAN_DEV)` (linux/btrfs.h): btrfs remembers the device as one of its file system's.
#[cfg(feature = "state")]
pub(crate) fn register_btrfs(control: BorrowedFd<'_>, device: &CStr) -> Result<(), Errno> {
    const SCAN_DEV: usize = 0x5000_9404;
    // A struct btrfs_ioctl_vol_args: a descriptor, which is not used, and a path that ends with NUL.
    let mut arguments = [0_u8; 4096];
    let path = device.to_bytes_with_nul();
    let room = arguments.get_mut(8..).unwrap_or_default();
    if path.len() > room.len() {
        return Err(Errno::NAMETOOLONG);
    }
    room.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
    let words = [
        control.as_raw_fd() as usize,
        SCAN_DEV,
        arguments.as_ptr() as usize,
        0,
        0,
    ];
    // SAFETY: the kernel reads 4096 bytes.
    unsafe { call(__NR_ioctl, words) }.map(|_| ())
}

mod exec;
pub(crate) mod namespaces;
#[cfg(feature = "supervise")]
mod supervising;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((since_boot() as f64 / 1000.0 - seconds).abs() < 5.0);
    }
}
