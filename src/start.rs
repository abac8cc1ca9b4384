//! How the program begins and how it dies without a C runtime: `_start`, the memory functions that the compiler calls,
//! and a panic handler that nothing reaches (a test reads the symbols of the release program).
#![allow(unsafe_code)] // Entry code and memory functions cannot be written without it.

use core::arch::{asm, global_asm};

// The kernel enters with argc, argv, envp on the stack and an unaligned base pointer (System V AMD64 ABI 3.4.1).
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

extern "C" fn begin(_stack: *const usize) -> ! {
    exit(0)
}

/// Ends the program: exit_group(2).
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: exit_group takes no pointer and does not return.
    unsafe { asm!("syscall", in("rax") 231, in("rdi") status, options(noreturn, nostack)) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(134)
}
