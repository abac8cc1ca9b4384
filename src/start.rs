//! What a C runtime would do: `_start`, exit, the memory functions that the compiler calls, and a panic handler that nothing
//! reaches (a test reads the symbols of the release program).
#![allow(unsafe_code)] // Entry code and memory functions cannot be written without it.

use core::arch::{asm, global_asm};
use dockerlaunch::Strings;
use linux_raw_sys::general::{__NR_exit_group, __NR_write};

// The kernel puts argc, argv and the environment on the stack (System V AMD64 ABI 3.4.1); a call needs the stack aligned.
global_asm!(
    ".section .text._start,\"ax\",@progbits",
    ".globl _start",
    "_start:",
    "xor %ebp, %ebp",
    "mov %rsp, %rdi",
    "and $-16, %rsp",
    "call {begin}",
    begin = sym begin,
    options(att_syntax)
);

/// # Safety
/// Called by `_start` only, with the stack as the kernel made it: argc, argc pointers, null, the environment's pointers, null.
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: argc is at the top, the arrays follow it, and both stay as long as the process.
    let (mut arguments, environment) = unsafe {
        let arguments = stack.add(1);
        let environment = arguments.add(*stack + 1);
        (
            Strings::from_array(arguments.cast()),
            Strings::from_array(environment.cast()),
        )
    };
    arguments.next(); // argv[0]
    exit(crate::main(arguments, environment))
}

/// Writes the text to a descriptor and returns the exit status.
pub(crate) fn print(descriptor: u32, text: &str) -> u8 {
    let written: isize;
    // SAFETY: the kernel reads the text, and clobbers only rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") __NR_write as isize => written, in("rdi") descriptor, in("rsi") text.as_ptr(), in("rdx") text.len(),
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    u8::from(written.cast_unsigned() != text.len())
}

/// exit_group(2).
fn exit(status: u8) -> ! {
    // SAFETY: no pointer, and it does not return.
    unsafe {
        asm!("syscall", in("rax") __NR_exit_group, in("rdi") u32::from(status), options(noreturn, nostack))
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(134)
}

/// In an unoptimised build core's unwinding tables refer to it; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(134)
}

/// # Safety
/// As memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        asm!("rep movsb", inout("rcx") length => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags))
    };
    to
}

/// # Safety
/// As memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= length {
        // SAFETY: the caller's; copied forwards, no source byte is overwritten before it is read.
        return unsafe { memcpy(to, from, length) };
    }
    // SAFETY: the caller's; copied backwards, from the last byte, for the same reason.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") length => _, inout("rdi") to.add(length).wrapping_sub(1) => _,
            inout("rsi") from.add(length).wrapping_sub(1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        asm!("rep stosb", inout("rcx") length => _, inout("rdi") to => _, in("al") byte as u8, options(nostack, preserves_flags))
    };
    to
}

/// # Safety
/// As memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
    let mut place = 0;
    while place < length {
        // SAFETY: the caller's: both have `length` bytes.
        let (a, b) = unsafe { (*one.add(place), *other.add(place)) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        place += 1;
    }
    0
}

/// # Safety
/// As bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { memcmp(one, other, length) }
}

/// # Safety
/// As strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller's: the string ends with NUL.
    while unsafe { *string.add(length) } != 0 {
        length += 1;
    }
    length
}
