//! The system calls and descriptors that rustix does not offer, or not safely: the only unsafe code of the library.
//!
//! Each function here is safe to call with any arguments; a comment says why where it is not obvious.
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

/// Borrowed strings: a slice, or an array such as the kernel makes for argv. It is its own iterator; a copy of it iterates from
/// the same place.
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
    /// The array ends with a null pointer, its strings end with NUL, and neither changes for the life of the process.
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
                // SAFETY: the pointer is within the array, which ends with null: from_array's caller promised both.
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

/// Makes a system call by number, with rustix's type for errors.
///
/// # Safety
/// As the system call.
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

/// `fork(2)`: the child's pid, or `None` in the child. The caller is single-threaded, as `launch` demands, so no lock is held
/// by a thread that the child lacks.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: no pointer; the child has its own copy of all memory.
    unsafe { call(__NR_fork, [0; 5]) }.map(|pid| Pid::from_raw(pid as i32))
}

/// `exit_group(2)`, for a forked child; it has nothing to clean up.
pub(crate) fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointer, and it does not return.
        let _ = unsafe { call(__NR_exit_group, [usize::from(status), 0, 0, 0, 0]) };
    }
}

/// `close_range(2)`: sets close-on-exec on every descriptor from `first` on. Linux 5.10 lacks the flag, so there they are
/// closed immediately, which is the same if the exec succeeds.
pub(crate) fn close_on_exec_from(first: u32) {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    let from = |flags: u32| {
        // SAFETY: no pointer. An OwnedFd whose descriptor is closed here is only dropped later, and close(2)'s error is ignored.
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

/// `dup3(2)` onto the number `to`, open or not; the next program inherits it.
pub(crate) fn duplicate_to(fd: BorrowedFd<'_>, to: u32) -> Result<(), Errno> {
    // SAFETY: no pointer. dup3 closes what was open at `to`: callers pass 0 to 3, which is never an OwnedFd here.
    unsafe { call(__NR_dup3, [fd.as_raw_fd() as usize, to as usize, 0, 0, 0]) }.map(|_| ())
}

/// Passes a descriptor to the next program under the number `to`.
pub(crate) fn pass_as(fd: BorrowedFd<'_>, to: u32) -> Result<(), Errno> {
    if fd.as_raw_fd().cast_unsigned() == to {
        // dup3 refuses to put a descriptor onto itself.
        return fcntl_setfd(fd, FdFlags::empty());
    }
    duplicate_to(fd, to)
}

/// A descriptor that others opened: 0 to 2, or the log's. It may be closed.
pub(crate) fn inherited(fd: u32) -> BorrowedFd<'static> {
    // SAFETY: it is never -1, and is used only in calls that return EBADF for a closed descriptor.
    unsafe { BorrowedFd::borrow_raw((fd & 0x7fff_ffff).cast_signed()) }
}

/// `unshare(CLONE_NEWNS)`: this process gets a mount namespace of its own.
pub(crate) fn own_mounts() -> Result<(), Errno> {
    // SAFETY: rustix warns only of CLONE_FILES, which is not passed.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
}

/// Leaves a descriptor open for the rest of the process; its number.
pub(crate) fn keep(fd: OwnedFd) -> u32 {
    fd.into_raw_fd().cast_unsigned()
}

/// Milliseconds since the kernel started: `clock_gettime(CLOCK_BOOTTIME)`. rustix would look for the vDSO in
/// /proc/self/auxv, but PID 1 has no /proc yet.
pub(crate) fn since_boot() -> u64 {
    let [seconds, nanoseconds] = read_clock(CLOCK_BOOTTIME);
    seconds.cast_unsigned() * 1000 + nanoseconds.cast_unsigned() / 1_000_000
}

/// Seconds since 1970: `clock_gettime(CLOCK_REALTIME)`; 0 for a time before that.
pub(crate) fn clock() -> u64 {
    let [seconds, _] = read_clock(CLOCK_REALTIME);
    u64::try_from(seconds).unwrap_or(0)
}

fn read_clock(clock: u32) -> [i64; 2] {
    let mut time = [0_i64; 2];
    let arguments = [clock as usize, time.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes a timespec: two 64-bit words.
    let _ = unsafe { call(__NR_clock_gettime, arguments) };
    time
}

/// `clock_settime(CLOCK_REALTIME)`.
pub(crate) fn set_clock(seconds: u64) -> Result<(), Errno> {
    let time = [seconds.cast_signed(), 0];
    let arguments = [CLOCK_REALTIME as usize, time.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads a timespec: two 64-bit words.
    unsafe { call(__NR_clock_settime, arguments) }.map(|_| ())
}

/// `getdents64(2)`: fills the buffer with linux_dirent64 records and returns them.
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

/// `ioctl(BTRFS_IOC_SCAN_DEV)` (linux/btrfs.h): registers a device with the btrfs driver.
#[cfg(feature = "state")]
pub(crate) fn register_btrfs(control: BorrowedFd<'_>, device: &CStr) -> Result<(), Errno> {
    const SCAN_DEV: usize = 0x5000_9404;
    // A struct btrfs_ioctl_vol_args: an unused descriptor, and a path that ends with NUL.
    let mut volume = [0_u8; 4096];
    let path = device.to_bytes_with_nul();
    let room = volume.get_mut(8..).unwrap_or_default();
    if path.len() > room.len() {
        return Err(Errno::NAMETOOLONG);
    }
    room.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
    let arguments = [
        control.as_raw_fd() as usize,
        SCAN_DEV,
        volume.as_ptr() as usize,
        0,
        0,
    ];
    // SAFETY: the kernel reads 4096 bytes.
    unsafe { call(__NR_ioctl, arguments) }.map(|_| ())
}

mod exec;
pub(crate) mod namespaces;
#[cfg(feature = "supervise")]
mod supervising;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_boot_matches_proc_uptime() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((since_boot() as f64 / 1000.0 - seconds).abs() < 5.0);
    }
}
